"""``python -m scalestudy.train.self_test``: import torch and train one step; what an image must be able to do."""

import torch
from torch import nn

from scalestudy.train.models.mnist_cnn import MnistCNN


def one_step() -> tuple[float, float]:
    """The loss of a batch before and after one step of gradient descent on it."""
    torch.manual_seed(1)
    model = MnistCNN((1, 28, 28), 10)
    images, labels = torch.randn(16, 1, 28, 28), torch.arange(16) % 10
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    with torch.no_grad():
        return float(loss), float(nn.functional.cross_entropy(model(images), labels))


if __name__ == "__main__":
    before, after = one_step()
    assert after < before, f"the loss went from {before} to {after} in a step"
    print(f"torch {torch.__version__}: one step trained, loss {before:.3f} to {after:.3f}")
