//! A row of an output as a network of its own.

use cutaway_net::{ConvSpec, Network, NetworkBuilder, Op, Row};

/// Scores `[3, 4, 4]` with a softmax over the channels, and a convolution beside it that they do not need.
fn detector() -> Network {
    let mut b = NetworkBuilder::new("detector");
    let image = b.input("image", &[1, 4, 4]).last();
    b.conv("logits", ConvSpec::new(3, 1)).softmax("scores").output();
    b.at(image).conv("unused", ConvSpec::new(5, 1)).output();
    b.labels(["none", "face", "hand"]);
    b.build(1).unwrap()
}

#[test]
fn a_place_of_an_output_becomes_the_answer_with_what_computes_it() {
    let network = detector();
    let scores = network.find("scores").unwrap();
    let row = Row { axis: 0, at: vec![2, 1] };
    let one = network.answering(scores, &row).unwrap();
    let names: Vec<&str> = one.nodes().iter().map(|node| node.name.as_str()).collect();
    let expected =
        ["image", "logits", "scores[2,1].row", "scores[2,1].scores", "scores[2,1].probabilities"];
    assert_eq!(names, expected);
    assert_eq!((one.classes(), one.shape(one.output())), (3, &[3][..]));
    // The softmax comes last, so that the network has logits.
    assert_eq!(one.node(one.output()).op, Op::Softmax);
    assert_eq!(one.node(one.logits()).name, "scores[2,1].scores");
    assert_eq!(one.metadata().labels, ["none", "face", "hand"]);
    assert_eq!(one.params().len(), 2);
    // [3, 4, 4]: class c of row 2, column 1 is number 16 c + 4 · 2 + 1.
    assert_eq!(row.indices(&[3, 4, 4]), [9, 25, 41]);
    assert_eq!(Row { axis: 1, at: vec![5] }.indices(&[9, 2]), [10, 11]);
}

#[test]
fn labels_stay_only_where_their_number_fits() {
    let network = detector();
    let unused = network.find("unused").unwrap();
    let one = network.answering(unused, &Row { axis: 0, at: vec![0, 0] }).unwrap();
    assert_eq!((one.classes(), one.metadata().labels.len()), (5, 0));
    let wide = network.answering(unused, &Row { axis: 2, at: vec![4, 3] }).unwrap();
    assert_eq!(wide.classes(), 4);
}

#[test]
fn places_outside_are_refused_with_the_range() {
    let network = detector();
    let scores = network.find("scores").unwrap();
    for (row, part) in [
        (Row { axis: 0, at: vec![2, 4] }, "axis 2 has positions 0 to 3"),
        (Row { axis: 0, at: vec![2] }, "2 position(s), not 1"),
        (Row { axis: 3, at: vec![2, 2] }, "no axis 3"),
    ] {
        let error = network.answering(scores, &row).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("'scores'"), "{error}");
    }
}

#[test]
fn of_a_concatenation_only_the_branch_with_the_row_is_left() {
    let mut b = NetworkBuilder::new("heads");
    let image = b.input("image", &[1, 4, 4]).last();
    let left = b.conv("left", ConvSpec::new(3, 1)).reshape("rows", &[3, 16]).last();
    let right = b.at(image).conv("right", ConvSpec::new(2, 1)).reshape("more", &[2, 16]).last();
    b.concat("scores", &[left, right]);
    let network = b.build(1).unwrap();
    let scores = network.find("scores").unwrap();
    // Rows 0 to 2 are the left branch's, 3 and 4 the right one's.
    let one = network.answering(scores, &Row { axis: 1, at: vec![4] }).unwrap();
    assert!(one.find("right").is_ok() && one.find("left").is_err());
    let Op::Slice { spans } = &one.node(one.find("scores[4].row").unwrap()).op else { panic!() };
    assert_eq!((spans[0].start, spans[0].count, spans[1].count), (1, 1, 16));
    // Along the axis of the classes every branch counts.
    let one: Network = network.answering(scores, &Row { axis: 0, at: vec![7] }).unwrap();
    assert!(one.find("left").is_ok() && one.classes() == 5);
}
