"""Figures: the same bytes every time, text as text, and a form that suits what was measured."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
import report_data
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from scalestudy.report.figures import draw_figures
from scalestudy.report.figures.labels import Line, label_ends, spread
from scalestudy.report.figures.lines import drawn_laws, node_end
from scalestudy.report.printable import printable


def named(data):
    return {figure.name: figure for figure in draw_figures(printable(data))}


@pytest.fixture(scope="module")
def cluster():
    return named(report_data.cluster())


def texts(figure):
    root = ElementTree.fromstring(figure.svg)
    return ["".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_two_devices_are_drawn_as_intervals_with_their_numbers():
    data = report_data.laptop()
    figure = named(data)["scaling-epoch"]
    assert figure.form == "intervals bars"
    for row in data.speedup:
        if row.strategy != "serial":
            assert f"{row.speedup:.2f}×" in texts(figure)
    assert "ideal" in texts(figure)


def test_more_devices_are_drawn_as_labeled_lines(cluster):
    figure = cluster["scaling-strong"]
    assert figure.form == "lines bars nodes"
    assert {"DataParallel", "DDP", "Hybrid", "HSDP", "ideal", "16", "fits on one node", "several nodes"} <= set(
        texts(figure)
    )


def test_every_scaling_has_its_three_figures(cluster):
    assert set(cluster) == {
        f"{kind}-{scaling}" for kind in ("scaling", "curves", "breakdown") for scaling in ("strong", "epoch", "weak")
    }


def test_synthetic_data_are_named_in_every_figure():
    for figure in named(report_data.laptop()).values():
        assert any("(synthetic data)" in text for text in texts(figure)), figure.name


def test_figures_are_the_same_bytes_every_time_whatever_the_users_settings():
    first = [figure.svg for figure in draw_figures(report_data.laptop())]
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.facecolor": "red"}):
        again = [figure.svg for figure in draw_figures(report_data.laptop())]
    assert first == again
    assert all(b"<dc:date>" not in svg for svg in first)


def test_drawing_leaves_matplotlibs_settings_alone():
    before = dict(mpl.rcParams)
    draw_figures(report_data.single())
    assert dict(mpl.rcParams) == before


def test_figures_have_the_width_of_the_text_and_say_what_they_show():
    for figure in draw_figures(report_data.laptop()):
        width = float(re.search(rb'width="([\d.]+)pt"', figure.svg).group(1))
        assert width == pytest.approx(6.38 * 72, abs=0.1)
        assert "DDP" in figure.alt


def test_titles_are_never_read_as_mathematics_or_markup():
    found = " ".join(text for figure in named(report_data.hostile()).values() for text in texts(figure))
    assert "$x^2$" in found
    assert '#eval("1+1")' in found


def test_ticks_are_drawn_with_their_numbers_but_not_by_matplotlib(cluster):
    """Which makes five objects of each: half of the drawing's time."""
    assert not [name for name, figure in cluster.items() if re.search(rb'id="[xy]tick_', figure.svg)]
    assert {"1", "2", "4", "8", "16"} <= set(texts(cluster["scaling-strong"]))
    assert {"Serial 1×1", "DDP 4×4"} <= set(texts(cluster["breakdown-strong"]))


def test_an_axis_that_is_not_logarithmic_says_its_power_of_ten():
    data = report_data.laptop()
    bands = {"low": [], "high": []}
    small = [row.model_copy(update=bands | {"train_loss": [-1e-7 * v for v in row.train_loss]}) for row in data.curves]
    figure = named(data.model_copy(update={"curves": small}))["curves-epoch"]
    assert any(re.fullmatch("1e−[0-9]+", text) for text in texts(figure))


def test_without_completed_runs_there_is_no_figure():
    assert named(report_data.nothing_completed()) == {}


def test_the_form_of_a_figure_names_what_is_drawn_and_nothing_else(cluster):
    single, laptop = named(report_data.single()), named(report_data.laptop())
    assert single["scaling-epoch"].form == "intervals"  # of one run there is none
    assert single["curves-epoch"].form == "parallel base"
    assert laptop["curves-epoch"].form == "parallel base bands thin"  # HSDP has two layouts
    assert cluster["curves-strong"].form == "parallel base bands thin"
    without = named(report_data.without_base())
    assert (without["curves-epoch"].form, without["breakdown-epoch"].form) == ("parallel bands thin", "bars")


def test_without_a_base_there_is_no_scaling_figure_but_curves_and_phases():
    assert set(named(report_data.without_base())) == {"curves-epoch", "breakdown-epoch"}


def test_one_epoch_of_one_seed_is_drawn():
    assert set(named(report_data.single())) == {"scaling-epoch", "curves-epoch", "breakdown-epoch"}


@given(st.lists(st.floats(-100, 100), max_size=8), st.floats(0.1, 20))
def test_spread_keeps_order_and_distance(positions, gap):
    placed = spread(positions, gap)
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    for before, after in pairwise(order):
        assert placed[after] - placed[before] >= gap * 0.999


def test_names_of_lines_that_end_together_before_the_others_are_clear_of_these():
    figure = Figure(figsize=(5, 3.2), dpi=72)
    renderer = FigureCanvasAgg(figure).get_renderer()
    ax = figure.add_subplot()
    ax.set_xlim(0, 10)
    ax.set_ylim(0, 10)
    lines = [Line("first", [(0, 5), (5, 5.0)], "k"), Line("second", [(0, 5), (5, 5.2)], "k")]
    lines += [Line(f"long {place}", [(0, 5), (5.4, 5), (10, place)], "k") for place in (5.0, 9.9)]  # one is steep
    label_ends(ax, lines, [[(0, 0), (10, 10)]])
    for text in ax.texts:
        text.update_positions(renderer)
    boxes = {text.get_text(): Text.get_window_extent(text, renderer) for text in ax.texts}
    for name in ("first", "second"):
        middle = (boxes[name].y0 + boxes[name].y1) / 2
        for line in lines[2:]:
            xs, ys = ax.transData.transform(line.path).T
            at = np.interp(np.linspace(boxes[name].x0, boxes[name].x1, 200), xs, ys)
            assert np.abs(at - middle).min() > 5, name
    assert not boxes["first"].shrunk(1, 0.7).overlaps(boxes["second"].shrunk(1, 0.7))


def test_spread_leaves_what_is_far_apart():
    assert spread([0.0, 50.0, 20.0], 9) == [0.0, 50.0, 20.0]


def test_epoch_scaling_borrows_the_base_that_the_plan_names_once():
    data = report_data.many_panels()

    def once(rows):
        return [row for row in rows if (row.strategy, row.scaling) != ("serial", "epoch")]

    rows = {name: once(getattr(data, name)) for name in ("speedup", "phases", "curves")}
    figures = named(data.model_copy(update=rows))
    assert "Serial 1×1" in texts(figures["breakdown-epoch"])
    assert "Serial 1×1" in figures["curves-epoch"].alt


def test_a_probed_machine_has_its_ceiling_and_a_prediction_its_range():
    figures = named(report_data.whole())
    assert figures["scaling-strong"].form == "lines bars nodes ceiling amdahl"
    assert figures["scaling-weak"].form == "lines bars nodes ceiling gustafson"
    assert "ceiling" in texts(figures["scaling-strong"])
    assert {"DDP, ring", "DDP, tree", "16,384"} <= set(texts(figures["prediction-strong"]))


def test_thousands_on_an_axis_are_grouped_as_the_language_has_them():
    data = report_data.whole()
    german = data.model_copy(update={"words": data.words.model_copy(update={"language": "de"})})
    assert {"4.096", "16.384"} <= set(texts(named(german)["prediction-strong"]))


def test_a_cell_without_a_completed_run_keeps_its_place_among_the_bars():
    figure = named(report_data.many_panels())["breakdown-strong"]
    assert texts(figure).count("Hybrid 2×2") == len(report_data.WORKLOADS)
    assert texts(figure).count("no completed run") == 1
    assert "Hybrid 2×2: no completed run" in figure.alt
    assert "no completed run" not in texts(named(report_data.many_panels())["breakdown-weak"])


def test_a_cell_whose_phases_were_not_measured_says_so_among_the_bars():
    data = report_data.laptop()
    others = [row for row in data.phases if row.strategy != "hsdp"]
    figure = named(data.model_copy(update={"phases": others}))["breakdown-epoch"]
    lost = [row for row in data.phases if row.strategy == "hsdp"]
    assert texts(figure).count("phases were not measured") == len(lost) > 0
    assert texts(figure).count("HSDP 1×2") == len(data.workloads)


def test_a_workload_of_which_nothing_ran_has_a_panel_without_an_axis():
    data = report_data.many_panels()
    first, *others = report_data.WORKLOADS
    whole = texts(named(data)["breakdown-weak"])
    lost = [row.model_copy(update={"n": 0}) if row.workload == first else row for row in data.speedup]
    phases = [row for row in data.phases if row.workload != first]
    found = texts(named(data.model_copy(update={"phases": phases, "speedup": lost}))["breakdown-weak"])
    cells = len({(row.strategy, row.nodes, row.devices) for row in data.speedup})
    assert found.count("no completed run") == cells
    assert found.count("Serial 1×1") == whole.count("Serial 1×1") == len(report_data.WORKLOADS)
    assert found.count("0") == whole.count("0") - 1 == len(others)  # each axis begins at it


def test_a_fitted_law_ends_at_the_largest_measured_cell_of_its_strategy():
    data = report_data.whole()
    rows = [row for row in data.speedup if row.strategy != "serial"]
    curves = drawn_laws(data, rows)
    assert {curve.law for curve in curves} == {"amdahl", "gustafson"}
    for curve in curves:
        cells = [row.devices for row in rows if row.strategy == curve.strategy and row.scaling == curve.scaling]
        assert curve.devices[-1] == max(cells) < data.fit_curves[0].devices[-1]
        assert len(curve.speedup) == len(curve.devices)


def test_the_node_mark_lies_right_of_the_largest_cell_on_one_node():
    rows = [row for row in report_data.cluster().speedup if row.strategy != "serial"]
    assert node_end(rows) == pytest.approx((4 * 8) ** 0.5)
    assert node_end([row for row in rows if row.nodes == 1]) is None


def matplotlib_figures(data, monkeypatch):
    """The figures as matplotlib has them, before they become SVG."""
    figures, save = [], Figure.savefig

    def kept(figure, *arguments, **options):
        figures.append(figure)
        return save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", kept)
    draw_figures(printable(data))
    assert figures
    return figures


@pytest.mark.parametrize("most_nodes", [1, 16])
@pytest.mark.parametrize("above", [0.98, 1.0, 1.02, 1.1])
def test_the_name_of_a_ceiling_that_strategies_nearly_reach_covers_no_other(above, most_nodes, monkeypatch):
    data = report_data.whole()
    rows = [
        row.model_copy(update={"ceiling_speedup": row.speedup and above * row.speedup})
        if row.strategy == "ddp" and row.nodes <= most_nodes
        else row.model_copy(update={"ceiling_speedup": None})
        for row in data.speedup
    ]
    found = 0
    for figure in matplotlib_figures(data.model_copy(update={"speedup": rows}), monkeypatch):
        renderer = FigureCanvasAgg(figure).get_renderer()
        for ax in figure.axes:
            names = [
                text
                for text in ax.texts
                if text.get_text() in ("ceiling", "ideal", "DDP", "HSDP", "DataParallel", "Hybrid")
            ]
            for text in names:
                text.update_positions(renderer)
            boxes = [(one.get_text(), Text.get_window_extent(one, renderer).shrunk(1, 0.7)) for one in names]
            for name, box in boxes:
                others = [other for title, other in boxes if title != name]
                assert name != "ceiling" or not any(map(box.overlaps, others))
                found += name == "ceiling"
    assert found


def drawn_beyond_the_edges(data, monkeypatch):
    """The texts that reach out of their figure by more than a point, where an SVG is cut off."""
    found = []
    for figure in matplotlib_figures(data, monkeypatch):
        renderer = FigureCanvasAgg(figure).get_renderer()
        for text in figure.findobj(Text):
            box = text.get_window_extent(renderer)
            if text.get_visible() and text.get_text() and not (box.x0 > -1 and box.x1 < figure.bbox.x1 + 1):
                found.append(text.get_text())
    return found


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("shape", [report_data.whole, report_data.many_panels, report_data.broad])
def test_no_text_is_cut_off_at_the_edge_of_a_figure(shape, language, monkeypatch):
    data = shape()
    phases = [row.model_copy(update={"host_to_device_s": row.data_s}) for row in data.phases]  # as on GPUs
    words = data.words.model_copy(update={"language": language})
    data = data.model_copy(update={"phases": phases, "words": words})
    assert drawn_beyond_the_edges(data, monkeypatch) == []


def test_a_panel_without_a_completed_run_says_so():
    data = report_data.many_panels()
    first = data.curves[-1]
    others = [row for row in data.curves if (row.workload, row.strategy) != (first.workload, first.strategy)]
    without = named(data.model_copy(update={"curves": others}))
    assert "no completed run" in str(without[f"curves-{first.scaling}"].svg)
