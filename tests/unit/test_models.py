"""The networks and how they are built from a name."""

import pytest
import torch
from torch import nn

from scalestudy.errors import StudyError
from scalestudy.spec.workload import ModelSpec
from scalestudy.train.models.build import build_model, layer_table


def conv(inputs, outputs):
    return inputs * outputs * 9 + outputs


def linear(inputs, outputs):
    return inputs * outputs + outputs


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_mnist_cnn_has_the_parameters_of_the_course_report():
    model = build_model(ModelSpec(name="mnist_cnn"), (1, 28, 28), 10)
    assert count(model) == conv(1, 32) + linear(32 * 26 * 26, 128) + linear(128, 10) == 2_770_634


def test_cifar_cnn_has_the_parameters_of_the_course_report():
    model = build_model(ModelSpec(name="cifar_cnn"), (3, 32, 32), 10)
    blocks = sum(conv(inputs, outputs) + 2 * outputs for inputs, outputs in ((3, 32), (32, 64), (64, 128)))
    assert count(model) == blocks + linear(128 * 4 * 4, 256) + linear(256, 10) == 620_810


@pytest.mark.parametrize("name", ["mnist_cnn", "cifar_cnn"])
@pytest.mark.parametrize(("shape", "classes"), [((1, 28, 28), 10), ((3, 64, 33), 100), ((5, 8, 8), 2)])
def test_any_shape_and_number_of_classes(name, shape, classes):
    model = build_model(ModelSpec(name=name), shape, classes)
    assert model(torch.zeros(3, *shape)).shape == (3, classes)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("mnist_cnn", (1, 2, 28), "needs images of at least 3x3, and got 2x28"),
        ("cifar_cnn", (3, 32, 7), "needs images of at least 8x8, and got 32x7"),
    ],
)
def test_images_that_are_too_small_are_refused(name, shape, message):
    with pytest.raises(StudyError, match=message):
        build_model(ModelSpec(name=name), shape, 10)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cifar_cn", {}, r"model\.name: there is no model 'cifar_cn': did you mean 'cifar_cnn'\?"),
        ("resnet", {}, "must be one of mnist_cnn, cifar_cnn, package.module:Name"),
        ("mnist_cnn", {"width": 3}, "model.options: .*unexpected keyword argument 'width'"),
        ("torch.nn:ReLU", {"inplace": True}, "model.options: torch.nn:ReLU: TypeError"),
        ("collections:OrderedDict", {}, "model.options: collections:OrderedDict: TypeError"),
        ("torch.nn:Identity", {}, r"turns 2 images into \[2, 1, 28, 28\], and should give \[2, 10\]"),
        ("torch.nn:Flatten", {}, r"torch\.nn:Flatten fails on images of shape \[1, 28, 28\]: "),
        ("builtins:range", {}, "model.options: builtins:range: TypeError"),
        ("builtins:slice", {}, "builtins:slice gave a slice, and should give a torch.nn.Module"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_in_one_line(name, options, message):
    with pytest.raises(StudyError, match=message) as refusal:
        build_model(ModelSpec(name=name, options=options), (1, 28, 28), 10)
    assert "\n" not in str(refusal.value)


def test_the_same_seed_builds_the_same_weights_and_building_leaves_batch_norm_alone():
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(build_model(ModelSpec(name="cifar_cnn"), (3, 32, 32), 10).state_dict())
    assert all(states[0][name].equal(states[1][name]) for name in states[0])
    assert states[0]["norm1.num_batches_tracked"] == 0
    assert states[0]["norm1.running_var"].equal(torch.ones(32))


def test_the_layer_table_lists_layers_in_order_with_all_parameters():
    model = build_model(ModelSpec(name="mnist_cnn"), (1, 28, 28), 10)
    rows = layer_table(model, (1, 28, 28))
    assert [(row.name, row.kind, row.output_shape) for row in rows] == [
        ("conv", "Conv2d", [32, 26, 26]),
        ("relu1", "ReLU", [32, 26, 26]),
        ("flatten", "Flatten", [21632]),
        ("linear1", "Linear", [128]),
        ("relu2", "ReLU", [128]),
        ("linear2", "Linear", [10]),
    ]
    assert sum(row.parameters for row in rows) == count(model)


class Bent(nn.Module):
    """A parameter beside children, and a layer that runs twice."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.layer = nn.Linear(4, 4)
        self.drop = nn.Dropout(0.5)

    def forward(self, images):
        return self.drop(self.layer(self.layer(images.flatten(1)))) * self.scale


def test_the_layer_table_counts_every_parameter_once():
    model = Bent()
    rows = layer_table(model, (1, 2, 2))
    assert [(row.name, row.parameters) for row in rows] == [("layer", 20), ("drop", 0), ("Bent", 4)]


def test_the_layer_table_leaves_the_model_and_the_random_numbers_as_they_were():
    model = build_model(ModelSpec(name="cifar_cnn"), (3, 32, 32), 10)
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    layer_table(model, (3, 32, 32))
    assert model.training
    assert model.norm1.training
    assert torch.get_rng_state().equal(state)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
