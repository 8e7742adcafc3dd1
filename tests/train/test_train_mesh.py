"""How a batch is divided over the mesh."""

from hypothesis import given
from hypothesis import strategies as st

from scalestudy.train.mesh import Mesh


@st.composite
def meshes(draw: st.DrawFn) -> Mesh:
    devices = draw(st.integers(1, 8))
    divisors = [count for count in range(1, devices + 1) if devices % count == 0]
    return Mesh(draw(st.integers(1, 5)), devices, draw(st.sampled_from(divisors)))


@given(meshes(), st.integers(0, 500))
def test_every_sample_is_in_exactly_one_share(mesh: Mesh, samples: int) -> None:
    shares = [mesh.share(samples, device) for device in range(mesh.devices)]
    assert [position for start, stop in shares for position in range(start, stop)] == list(range(samples))


@given(meshes(), st.integers(0, 500))
def test_shares_differ_by_one_at_most_and_the_first_are_the_larger(mesh: Mesh, samples: int) -> None:
    sizes = [stop - start for start, stop in (mesh.share(samples, device) for device in range(mesh.devices))]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] - sizes[-1] <= 1


@given(meshes(), st.integers(0, 40))
def test_a_batch_smaller_than_the_mesh_leaves_the_last_devices_empty_shares(mesh: Mesh, samples: int) -> None:
    sizes = [stop - start for start, stop in (mesh.share(samples, device) for device in range(mesh.devices))]
    assert sum(size == 0 for size in sizes) == max(0, mesh.devices - samples)


@given(meshes())
def test_every_device_belongs_to_one_rank_of_its_own_node(mesh: Mesh) -> None:
    driven = [(device, mesh.node_of(rank)) for rank in range(mesh.processes) for device in mesh.devices_of(rank)]
    assert driven == [(device, device // mesh.devices_per_node) for device in range(mesh.devices)]
