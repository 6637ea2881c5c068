"""The peers' side of attack_agreement.py: each function makes adversarial images of the built-in model with Foolbox or
torchattacks, with parameters that our attacks have, too. Images are [N, 1, 28, 28] from 0 to 1."""

import foolbox
import torch
import torchattacks

PGD = {"steps": 40}


def step_of(case):
    return case["step_size"]


def foolbox_side(attack):
    """An attack of Foolbox as a function of the model, images, labels and the case."""

    def run(model, x, y, case):
        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
        return attack(case)(wrapped, x, y, epsilons=case.get("epsilon"))[1]

    return run


def torchattacks_side(attack):
    return lambda model, x, y, case: attack(model, case)(x, y)


def spatial(model, x, y, case):
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    grid = foolbox.attacks.SpatialAttack(max_translation=3, max_rotation=30, num_translations=5, num_rotations=31)
    return grid(wrapped, x, y)[0]


def fab(targeted):
    """FAB without a bound, so that its distance can be measured; all nine targets where it is targeted. The package itself
    stops at the first target that fools within its ε."""

    def run(model, x, y, case):
        norm = {"linf": "Linf", "l2": "L2"}[case["norm"]]
        attack = torchattacks.FAB(model, norm=norm, eps=1e3, steps=100, n_classes=10, multi_targeted=targeted)
        if not targeted:
            return attack(x, y)
        best, distance = x.clone(), torch.full((len(x),), float("inf"))
        for target in range(2, 11):
            attack.target_class = target
            made = attack.attack_single_run_targeted(x, y)
            size = norm_of(made - x, case["norm"])
            better = (model(made).argmax(1) != y) & (size < distance)
            best[better], distance[better] = made[better], size[better]
        return best

    return run


def norm_of(change, norm):
    flat = change.flatten(1)
    return flat.abs().max(1)[0] if norm == "linf" else flat.pow(2).sum(1).sqrt()


def apgd(loss):
    def attack(model, case):
        norm = {"linf": "Linf", "l2": "L2"}[case["norm"]]
        if loss == "t":
            return torchattacks.APGDT(model, norm=norm, eps=case["epsilon"], steps=100, n_classes=10)
        return torchattacks.APGD(model, norm=norm, eps=case["epsilon"], steps=100, loss=loss)

    return torchattacks_side(attack)


def square(model, case):
    norm = {"linf": "Linf", "l2": "L2"}[case["norm"]]
    return torchattacks.Square(model, norm=norm, eps=case["epsilon"], n_queries=case["queries"], p_init=0.8)


fb, ta = foolbox.attacks, torchattacks
cw = {"binary_search_steps": 6, "steps": 200, "stepsize": 0.02, "initial_const": 0.1}
PEERS = {
    "fgsm": {
        "Foolbox": foolbox_side(lambda case: fb.LinfFastGradientAttack(random_start=False)),
        "torchattacks": torchattacks_side(lambda model, case: ta.FGSM(model, eps=case["epsilon"])),
    },
    "pgd": {
        "Foolbox": foolbox_side(lambda case: fb.LinfPGD(abs_stepsize=step_of(case), **PGD)),
        "torchattacks": torchattacks_side(lambda model, case: ta.PGD(model, eps=case["epsilon"], alpha=step_of(case), **PGD)),
    },
    "pgd-l2": {
        "Foolbox": foolbox_side(lambda case: fb.L2PGD(abs_stepsize=step_of(case), **PGD)),
        "torchattacks": torchattacks_side(lambda model, case: ta.PGDL2(model, eps=case["epsilon"], alpha=step_of(case), **PGD)),
    },
    "mi-fgsm": {
        "Foolbox": foolbox_side(
            lambda case: fb.LinfMomentumIterativeFastGradientMethod(abs_stepsize=step_of(case), steps=10, random_start=False)
        ),
        # As the paper has it; Foolbox sums gradients that are not scaled.
        "torchattacks": torchattacks_side(lambda model, case: ta.MIFGSM(model, eps=case["epsilon"], alpha=step_of(case), steps=10)),
    },
    "deepfool": {
        "Foolbox": foolbox_side(lambda case: fb.L2DeepFoolAttack(steps=50, candidates=10, overshoot=0.02)),
        "torchattacks": torchattacks_side(lambda model, case: ta.DeepFool(model, steps=50, overshoot=0.02)),
    },
    "deepfool-linf": {"Foolbox": foolbox_side(lambda case: fb.LinfDeepFoolAttack(steps=50, candidates=10, overshoot=0.02))},
    "cw": {"Foolbox": foolbox_side(lambda case: fb.L2CarliniWagnerAttack(**cw))},
    "apgd-ce": {"torchattacks": apgd("ce")},
    "apgd-ce-l2": {"torchattacks": apgd("ce")},
    "apgd-dlr": {"torchattacks": apgd("dlr")},
    "apgd-t": {"torchattacks": apgd("t")},
    "fab": {"torchattacks": fab(False)},
    "fab-l2": {"torchattacks": fab(False)},
    "fab-t": {"torchattacks": fab(True)},
    "square": {"torchattacks": torchattacks_side(square)},
    "square-l2": {"torchattacks": torchattacks_side(square)},
    "one-pixel": {"torchattacks": torchattacks_side(lambda model, case: ta.OnePixel(model, pixels=1, steps=20, popsize=200))},
    "spatial": {"Foolbox": spatial},
}
