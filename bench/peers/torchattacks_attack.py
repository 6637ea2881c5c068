"""torchattacks' side of adversarial attacks on the built-in model: as foolbox_attack.py, with the attacks apgd-ce and square (L∞).

    torchattacks_attack.py NAME --data DIR --images N --epsilon E [--steps S] [--queries Q] [--layout nchw|nhwc]
                           [--batch B] --threads T
"""

import torchattacks

from foolbox_attack import main


def torchattacks_run(arguments):
    def run(model, x, y):
        attack = {
            "apgd-ce": lambda: torchattacks.APGD(model, eps=arguments.epsilon, steps=arguments.steps, loss="ce"),
            "square": lambda: torchattacks.Square(model, eps=arguments.epsilon, n_queries=arguments.queries),
        }[arguments.name]()
        return model(attack(x, y)).argmax(1) != y

    return run


if __name__ == "__main__":
    main(torchattacks_run, torchattacks, __doc__)
