"""Every text can be printed: what the fonts lack becomes its code point."""

import typst
from hypothesis import given, settings
from hypothesis import strategies as st
from report_data import hostile

from scalestudy.report.pdf import STANDARDS
from scalestudy.report.printable import FONTS, fallback_folder, printable, printable_text

LOOKS = ('"Libertinus Serif"', '"Source Sans 3"', '"DejaVu Sans Mono"')


def test_plain_text_stays_as_it_is():
    text = "Ελλάς, Дом, “quoted” – 1×2 ± 3 µs"
    assert printable_text(text) == text


def test_characters_without_glyph_or_with_effects_become_code_points():
    assert printable_text("a🚀b") == "a[U+1F680]b"
    assert printable_text("a\x00\x1b\u202eb") == "a[U+0000][U+001B][U+202E]b"
    assert printable_text("日") == "[U+65E5]"
    assert printable_text("one\r\ntwo\tthree") == "one\ntwo three"


def test_all_strings_of_the_data_are_made_printable_and_nothing_else_changes():
    data = hostile()
    again = printable(data)
    assert "🚀" in data.words.title
    assert "🚀" not in again.model_dump_json()
    assert again.speedup[0].time_s == data.speedup[0].time_s
    assert printable(again) == again


@settings(max_examples=25)
@given(st.text(max_size=300))
def test_every_printable_text_compiles_to_an_archivable_pdf_in_every_font(text):
    body = "".join(
        f'#text(font: ({font}, "DejaVu Sans"), weight: {weight}, fallback: false, sys.inputs.text)\n\n'
        for font in LOOKS
        for weight in (400, 600)
    )
    source = '#set document(title: "x", date: auto)\n' + body
    pdf = typst.compile(
        source.encode(),
        format="pdf",
        pdf_standards=STANDARDS,
        timestamp=0,
        font_paths=[str(FONTS), str(fallback_folder())],
        ignore_system_fonts=True,
        sys_inputs={"text": printable_text(text)},
    )
    assert pdf.startswith(b"%PDF")
