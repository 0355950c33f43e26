"""Methods on networks in torch, against the grad-cam library and against gradients written by hand."""

import copy

import numpy as np
import pytest

pytest.importorskip("open_clip", reason="needs the extra openclip", exc_type=ImportError)
torch = pytest.importorskip("torch")
library = pytest.importorskip("pytorch_grad_cam", reason="needs the extra explain", exc_type=ImportError)

from pytorch_grad_cam.utils import svd_on_activations  # noqa: E402
from torch.nn import functional  # noqa: E402

from wordsight.explain import ExplainOptions, explainer, methods_of  # noqa: E402
from wordsight.explain.objective import Objective  # noqa: E402
from wordsight.explain.torch_backbone import TorchBackbone, torch_methods  # noqa: E402
from wordsight.registry import load_encoder  # noqa: E402
from wordsight.testing import check_explainer, colour_image  # noqa: E402

TEXT = "a red thing"
CELLS = (128, 128)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Tests run side by side: threads of torch that wait for each other spin, and ten of them take all there is."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def resnet():
    return load_encoder("openclip:RN50/random:1")


@pytest.fixture(scope="module")
def transformer():
    return load_encoder("openclip:ViT-B-32/random:1")


@pytest.fixture(scope="module")
def picture():
    return colour_image("red", "green", "white", "blue", size=224)


class Similarity(torch.nn.Module):
    """Pixels -> similarity to the text: what the library is asked to explain."""

    def __init__(self, encoder):
        super().__init__()
        self.visual = encoder.model.visual
        self.text = torch.from_numpy(encoder.encode_texts([TEXT])[0])

    def forward(self, pixels):
        return functional.normalize(self.visual(pixels), dim=-1) @ self.text[:, None]


LIBRARY = {
    "gradcam": "GradCAM",
    "gradcam++": "GradCAMPlusPlus",
    "xgradcam": "XGradCAM",
    "layercam": "LayerCAM",
    "eigencam": "EigenCAM",
    "eigengradcam": "EigenGradCAM",
}


@pytest.mark.parametrize(
    ("method", "smooth"), [*((method, False) for method in LIBRARY), ("gradcam", True), ("layercam", True)]
)
def test_maps_of_a_resnet_equal_those_of_the_library(resnet, picture, monkeypatch, method: str, smooth: bool) -> None:
    # A principal component has no sign; the library's plain function leaves it to chance.
    signed = svd_on_activations.get_2d_projection_with_sign_correction
    for module in ("base_cam", "eigen_cam", "eigen_grad_cam", "layer_cam"):
        monkeypatch.setattr(f"pytorch_grad_cam.{module}.get_2d_projection", signed)
    model = Similarity(resnet)
    with getattr(library, LIBRARY[method])(model=model, target_layers=[model.visual.layer4]) as theirs:
        theirs.get_target_width_height = lambda _: CELLS  # the size of our maps instead of the input's
        (wanted,) = theirs(resnet.pixels([picture]), [lambda output: output[0]], eigen_smooth=smooth)
    ((found,),) = explainer(resnet, method, ExplainOptions(eigen_smooth=smooth)).explain([picture], [TEXT])
    assert wanted.max() > 0.9, "the comparison is of maps that say something"
    np.testing.assert_allclose(found.values, wanted, atol=1e-4)


def test_grad_cam_of_a_resnet_is_the_gradient_by_hand(resnet, picture) -> None:
    visual, text = resnet.model.visual, torch.from_numpy(resnet.encode_texts([TEXT])[0])
    features = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(resnet.pixels([picture]))))))
    features = features.detach().requires_grad_()
    embedding = visual.attnpool(features)[0]
    (embedding @ text / embedding.norm()).backward()
    weights = features.grad.mean(dim=(2, 3), keepdim=True)
    raw = functional.relu((weights * features.detach()).sum(dim=1, keepdim=True))
    wanted = functional.interpolate(raw, CELLS, mode="bilinear", align_corners=False)[0, 0].numpy()
    ((found,),) = explainer(resnet, "gradcam", ExplainOptions()).explain([picture], [TEXT])
    np.testing.assert_allclose(found.values, (wanted - wanted.min()) / (wanted.max() - wanted.min()), atol=1e-4)


def test_ablation_takes_channels_out(resnet, picture) -> None:
    backbone, visual = TorchBackbone(resnet), resnet.model.visual
    found = backbone.ablated(picture)
    activations = torch.from_numpy(found.activations)[None]
    np.testing.assert_allclose(found.whole, resnet.encode_images([picture]), atol=2e-2)  # those may be in bfloat16
    for channel in (0, 255, 256, 2047):
        without = activations.clone()
        without[0, channel] = 0
        wanted = functional.normalize(visual.attnpool(without), dim=-1)[0].detach().numpy()
        np.testing.assert_allclose(found.without[channel], wanted, atol=1e-5)


def test_explaining_leaves_the_encoder_as_it_was(resnet, picture) -> None:
    resnet.model.zero_grad(set_to_none=True)
    before = resnet.encode_images([picture])
    kinds = [type(module) for module in resnet.model.modules()]
    for method in ("gradcam", "guided", "gscorecam"):
        explainer(resnet, method, ExplainOptions(channels=2)).explain([picture], [TEXT, "blue"])
    assert [type(module) for module in resnet.model.modules()] == kinds
    assert not any(module._forward_hooks for module in resnet.model.modules())
    assert all(parameter.grad is None for parameter in resnet.model.parameters())
    np.testing.assert_array_equal(resnet.encode_images([picture]), before)


def test_guided_backpropagation_passes_only_what_is_positive_both_ways(resnet, picture) -> None:
    """Against hooks written by hand: a ReLU's gradient is cut at zero once more."""
    ((found,),) = explainer(resnet, "guided", ExplainOptions()).explain([picture], [TEXT])
    model = copy.deepcopy(Similarity(resnet))
    for module in model.modules():
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
            module.register_full_backward_hook(lambda _, grads, __: (grads[0].clamp_min(0),))
    pixels = resnet.pixels([picture]).requires_grad_()
    model(pixels)[0, 0].backward()
    strongest = functional.avg_pool2d(pixels.grad.abs().amax(dim=1, keepdim=True), 4)
    wanted = functional.interpolate(strongest, CELLS, mode="bilinear", align_corners=False)[0, 0].numpy()
    np.testing.assert_allclose(found.values, (wanted - wanted.min()) / (wanted.max() - wanted.min()), atol=1e-3)


def test_grad_eclip_by_hand(transformer, picture) -> None:
    """The last block taken apart: what the first token's attention gathers, and its gradient."""
    visual = transformer.model.visual
    text = torch.from_numpy(transformer.encode_texts([TEXT])[0])
    block, kept = visual.transformer.resblocks[-1], []
    handle = block.register_forward_pre_hook(lambda _, given: kept.append(given[0].detach()))
    visual(transformer.pixels([picture]))
    handle.remove()
    tokens = kept[0][0]
    wide = functional.linear(block.ln_1(tokens), block.attn.in_proj_weight, block.attn.in_proj_bias)
    query, key, value = wide.detach().chunk(3, dim=-1)
    heads = block.attn.num_heads
    gathered = []
    for q, k, v in zip(query.chunk(heads, dim=-1), key.chunk(heads, dim=-1), value.chunk(heads, dim=-1), strict=True):
        gathered.append((q @ k.T / q.shape[-1] ** 0.5).softmax(dim=-1) @ v)
    mixed = torch.cat(gathered, dim=-1).requires_grad_()
    after = tokens + block.attn.out_proj(mixed)
    after = after + block.mlp(block.ln_2(after))
    embedding = visual.ln_post(after[0]) @ visual.proj
    (embedding @ text / embedding.norm()).backward()
    liked = functional.cosine_similarity(query[:1], key[1:], dim=-1)
    liked = (liked - liked.min()) / (liked.max() - liked.min())
    wanted = functional.relu((mixed.grad[0] * value[1:]).sum(dim=-1) * liked).reshape(7, 7).detach().numpy()
    method = torch_methods(transformer)["gradeclip"](ExplainOptions())
    found = method([picture], Objective.of(transformer, [TEXT], ExplainOptions()))[0, 0]
    np.testing.assert_allclose(found, wanted, atol=1e-4 * wanted.max())


def test_le_grad_sums_positive_gradients_of_attention(transformer, picture) -> None:
    """One block by hand: nudge one attention weight of the last block and see what the similarity does."""
    tower = transformer.gradients()
    text = torch.from_numpy(transformer.encode_texts([TEXT])[0])
    traces = tower.trace(transformer.pixels([picture]))
    wanted = torch.zeros(49)
    for block in traces:
        value = functional.normalize(tower.pool(block.tokens), dim=-1)[0] @ text
        (gradient,) = torch.autograd.grad(value, block.attention, retain_graph=True)
        for head in gradient[0]:
            for row in head:
                wanted += row[1:].clamp_min(0) / (len(gradient[0]) * len(head))
    method = torch_methods(transformer)["legrad"](ExplainOptions())
    found = method([picture], Objective.of(transformer, [TEXT], ExplainOptions()))[0, 0]
    np.testing.assert_allclose(found.ravel(), wanted, rtol=1e-3, atol=1e-9)


def test_an_architecture_offers_what_it_can(resnet, transformer) -> None:
    assert set(LIBRARY) < set(methods_of(resnet)) & set(methods_of(transformer))
    assert "guided" in methods_of(resnet)
    assert "guided" not in methods_of(transformer), "it has no ReLU"
    assert {"gradeclip", "legrad"} < set(methods_of(transformer))
    assert "gradeclip" not in methods_of(resnet)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gradcam", "gradeclip", "legrad", "eigengradcam", "projected", "auto"])
def test_transformers_obey_the_protocol(transformer, method: str) -> None:
    check_explainer(explainer(transformer, method), transformer)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gradcam", "guided", "layercam", "projected", "auto"])
def test_resnets_obey_the_protocol(resnet, method: str) -> None:
    check_explainer(explainer(resnet, method), resnet)
