//! Attacks and certificates as a user asks for them.

use serde_json::Value;

use crate::shell::{Shell, assert_is_picture};

#[test]
fn an_attack_on_the_test_set_prints_a_table_and_draws_curves_and_examples() {
    let shell = Shell::new();
    let out = shell
        .run("attack --data digits --method fgsm,pgd --steps 5 --epsilon 8/255,0.3 --limit 20 --out a")
        .ok();
    for expected in ["20 test images of digits", "ε = 0.03137", "ε = 0.3", "worst case", "interval"]
    {
        assert!(out.contains(expected), "{expected} is missing: {out}");
    }
    for name in ["attack-robust-accuracy", "attack-examples", "attack-perturbations"] {
        assert_is_picture(&shell.path(&format!("a/{name}.png")));
        assert_is_picture(&shell.path(&format!("a/{name}.svg")));
    }
}

#[test]
fn the_numbers_do_not_depend_on_the_number_of_threads() {
    let shell = Shell::new();
    let command =
        "attack --data digits --method pgd,square --steps 4 --queries 20 --limit 12 --json";
    let [mut one, mut two] =
        [1, 2].map(|threads| shell.run(&format!("{command} --threads {threads}")).json());
    for json in [&mut one, &mut two] {
        json["methods"].as_array_mut().unwrap().iter_mut().for_each(|m| m["seconds"] = Value::Null);
    }
    assert_eq!(one, two);
}

#[test]
fn named_images_are_attacked_alone_and_kept_as_an_array_on_request() {
    let shell = Shell::new();
    let json =
        shell.run("attack --data digits --sample 3 --method fgsm --npy --out a --json").json();
    assert_eq!(json["sample"], 3);
    assert_eq!(json["images"].as_array().unwrap().len(), 1);
    let npy = shell.read("a/adversarial.npy");
    assert_eq!(&npy[..8], b"\x93NUMPY\x01\x00");
    let head = 10 + usize::from(u16::from_le_bytes([npy[8], npy[9]]));
    assert_eq!(head % 64, 0);
    assert!(String::from_utf8_lossy(&npy[10..head]).contains("'shape': (1, 1, 28, 28)"));
    assert_eq!(npy.len(), head + 4 * 784);
}

#[test]
fn a_certificate_holds_for_no_more_images_than_double_masking_gets_right() {
    let shell = Shell::new();
    let json = shell.run("attack --data digits --patch 2 --steps 2 --limit 10 --json").json();
    let c = &json["certificate"];
    assert_eq!(c["count"], 10);
    assert!(c["certified_accuracy"].as_f64() <= c["defended_accuracy"].as_f64(), "{c}");
    assert_eq!(json["method"], "patch");
    assert!(json["epsilon"].is_null());
}

#[test]
fn autoattack_is_its_four_attacks_and_no_better_for_the_network_than_any_of_them() {
    let shell = Shell::new();
    let flags = "--method autoattack --steps 3 --queries 20 --epsilon 0.15 --limit 6 --json";
    let json = shell.run(&format!("attack --data digits {flags}")).json();
    assert_eq!(json["method"], "apgd-ce+apgd-t+fab-t+square");
    let worst = json["robust"].as_u64().unwrap();
    for method in json["methods"].as_array().unwrap() {
        assert!(worst <= method["curve"][0]["robust"].as_u64().unwrap(), "{}", method["method"]);
    }
    assert_eq!(json["methods"][2]["parameters"]["targets"], 9);
    assert_eq!(json["methods"][2]["parameters"]["steps"], 3);
}

#[test]
fn attacks_for_the_nearest_image_take_the_norm_that_is_asked_for_else_l2() {
    let shell = Shell::new();
    for (flags, norm) in [
        ("--method deepfool", "l2"),
        ("--method deepfool,fab --steps 5 --norm linf", "linf"),
        ("--method fab --steps 5", "linf"),
    ] {
        let json = shell.run(&format!("attack --data digits {flags} --limit 4 --json")).json();
        assert_eq!(json["norm"], norm, "{flags}");
        let nearest = &json["nearest"];
        assert!(nearest["found"].as_u64() > Some(0), "{flags}: {nearest}");
    }
}

#[test]
fn what_makes_no_sense_is_wrong_usage_and_writes_nothing() {
    let shell = Shell::new();
    for (flags, expected) in [
        ("--method fgms", "there is no attack 'fgms'; take fgsm"),
        ("--epsilon 0", "such as 0.1 or 8/255"),
        ("--epsilon 8/0", "such as 0.1 or 8/255"),
        ("--method pgd --steps 0", "1 to 10000"),
        ("--method fgsm --steps 3", "--steps means nothing to fgsm"),
        ("--method fgsm,cw --norm linf", "one norm at a time"),
        ("--method deepfool --target 3", "leave the target out"),
        ("--method fgsm --target 10", "classes 0 to 9"),
        ("--method fgsm --target eagle", "expected one of the model's labels"),
        ("--patch 29", "1 to 28"),
        ("--patch 3 --masks 0", "1 to 100"),
        ("--patch 3 --mask-fill 300", "out of range"),
        ("--limit 0", "--limit 0"),
        ("--sample 60", "test samples 0 to 59"),
    ] {
        let run = shell.run(&format!("attack --data digits --out none {flags}"));
        run.fails(2, &[expected]);
        assert!(!shell.path("none").exists(), "{flags}");
    }
    shell.run("attack --norm l7").fails(2, &["linf or l2"]);
}
