"""A method of attribution by Captum or pytorch-grad-cam on torchvision's MobileNetV2 (random weights: the time does not depend
on them), one image of 224x224. One measurement a process; prints one line of JSON.

    torch_attribute.py NAME --threads T --steps N --samples N --batch N --passes N

`batch` is how many perturbed images go through the network at once, where the library lets one choose. The median pass counts,
after one to warm up.
"""

import argparse
import json
import statistics
import sys
import time

import torch
from torchvision.models import mobilenet_v2

SIDE, WINDOW, STRIDE, CELLS = 224, 64, 16, 7


def gradient(model, image, target, arguments):
    from captum.attr import Saliency

    return lambda: Saliency(model).attribute(image, target=target, abs=False)


def integrated_gradients(model, image, target, arguments):
    from captum.attr import IntegratedGradients

    batch = arguments.batch
    return lambda: IntegratedGradients(model).attribute(image, target=target, n_steps=arguments.steps, internal_batch_size=batch)


def smooth_grad(model, image, target, arguments):
    from captum.attr import NoiseTunnel, Saliency

    tunnel = NoiseTunnel(Saliency(model))
    return lambda: tunnel.attribute(
        image, target=target, nt_type="smoothgrad", nt_samples=arguments.samples, nt_samples_batch_size=arguments.batch, stdevs=0.5, abs=False
    )


def guided_backprop(model, image, target, arguments):
    from captum.attr import GuidedBackprop

    return lambda: GuidedBackprop(model).attribute(image, target=target)


def deeplift(model, image, target, arguments):
    from captum.attr import DeepLift

    return lambda: DeepLift(model).attribute(image, target=target)


def grad_cam(model, image, target, arguments):
    from captum.attr import LayerAttribution, LayerGradCam

    cam = LayerGradCam(model, model.features[-1])
    return lambda: LayerAttribution.interpolate(cam.attribute(image, target=target), (SIDE, SIDE), "bilinear")


def score_cam(model, image, target, arguments):
    from pytorch_grad_cam import ScoreCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    cam = ScoreCAM(model=model, target_layers=[model.features[-1]])
    cam.batch_size = arguments.batch
    return lambda: cam(input_tensor=image, targets=[ClassifierOutputTarget(target)])


def occlusion(model, image, target, arguments):
    from captum.attr import Occlusion

    return lambda: Occlusion(model).attribute(
        image, target=target, sliding_window_shapes=(3, WINDOW, WINDOW), strides=(3, STRIDE, STRIDE), perturbations_per_eval=arguments.batch
    )


def cells():
    at = torch.arange(SIDE) * CELLS // SIDE
    return (at[:, None] * CELLS + at[None, :])[None, None]


def lime(model, image, target, arguments):
    from captum.attr import Lime

    return lambda: Lime(model).attribute(
        image, target=target, feature_mask=cells(), n_samples=arguments.samples, perturbations_per_eval=arguments.batch
    )


def kernel_shap(model, image, target, arguments):
    from captum.attr import KernelShap

    return lambda: KernelShap(model).attribute(
        image, target=target, feature_mask=cells(), n_samples=arguments.samples, perturbations_per_eval=arguments.batch
    )


METHODS = {
    "gradient": gradient,
    "integrated-gradients": integrated_gradients,
    "smooth-grad": smooth_grad,
    "guided-backprop": guided_backprop,
    "deeplift": deeplift,
    "grad-cam": grad_cam,
    "score-cam": score_cam,
    "occlusion": occlusion,
    "lime": lime,
    "kernel-shap": kernel_shap,
}


def fit_for_captum(model):
    """Captum's guided backpropagation and DeepLIFT take neither a module used twice nor one that works in place; a ReLU6 is a
    Hardtanh to them, which they have no rule for, so theirs is a ReLU."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, torch.nn.ReLU6):
                setattr(module, name, torch.nn.ReLU())
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=METHODS)
    for flag, default in (("threads", 2), ("steps", 50), ("samples", 50), ("batch", 16), ("passes", 1)):
        parser.add_argument(f"--{flag}", type=int, default=default)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    model = fit_for_captum(mobilenet_v2(weights=None)).eval()
    image, target = torch.rand(1, 3, SIDE, SIDE), 7
    run = METHODS[arguments.name](model, image, target, arguments)
    times = []
    for _ in range(arguments.passes + 1):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    json.dump({"name": arguments.name, "torch": torch.__version__, "seconds": statistics.median(times[1:])}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
