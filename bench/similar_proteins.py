"""How many test proteins still have a similar training protein, by exact alignment of all pairs of a sample.

    cargo run --release -p cutaway-data --example similar_proteins -- FOLDER 0.4 kept.fasta
    python3 -m venv venv && venv/bin/pip install parasail
    venv/bin/python bench/similar_proteins.py kept.fasta 0.4 100

Similar: identities of the best Smith-Waterman alignment (BLOSUM62, gaps 11 + 1, parasail) as a share of the shorter protein's
residues, score at least 50. Every fifth protein (random, seed 1) is a test protein; of these a sample is aligned with all the
others. Pairs of a score below 0.6 times the shorter length are not counted: 40 % of identities score more.
"""

import random
import sys

import parasail


def read(path):
    proteins = []
    for record in ("\n" + open(path).read()).split("\n>")[1:]:
        header, *lines = record.split("\n")
        proteins.append((header.split()[0], "".join(lines)))
    return proteins


def main():
    path, identity, sample = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    proteins = read(path)
    random.Random(1).shuffle(proteins)
    cut = len(proteins) // 5
    test, train = proteins[:cut][:sample], proteins[cut:]
    above, pairs, nearest = 0, 0, []
    for name, sequence in test:
        profile = parasail.profile_create_sat(sequence, parasail.blosum62)
        best = 0.0
        for other_name, other in train:
            shorter = min(len(sequence), len(other))
            score = parasail.sw_striped_profile_sat(profile, other, 12, 1).score
            if score < max(50, 0.6 * shorter):
                continue
            stats = parasail.sw_stats_striped_sat(sequence, other, 12, 1, parasail.blosum62)
            share = stats.matches / shorter
            best = max(best, share)
            if share >= identity:
                pairs += 1
                print(f"  {name} {other_name} {share:.2f} of {shorter}, score {score}")
        above += best >= identity
        nearest.append(best)
    nearest.sort()
    print(
        f"{len(proteins)} proteins; {len(test)} test x {len(train)} training = {len(test) * len(train)} pairs, "
        f"{pairs} of identity {identity} or more; test proteins with such a neighbour: {above} "
        f"({100 * above / len(test):.1f} %)"
    )


main()
