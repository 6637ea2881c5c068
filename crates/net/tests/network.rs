//! What a network promises, and what it refuses.

use std::sync::Arc;

use cutaway_net::{
    Conv, ConvSpec, Error, Metadata, Network, NetworkBuilder, Node, NodeId, Op, Param, ParamId,
    presets,
};

fn param(name: &str, shape: &[usize]) -> Param {
    let count = shape.iter().product();
    Param {
        name: name.into(),
        shape: shape.into(),
        values: vec![0.5; count].into(),
        trainable: true,
    }
}

fn node(name: &str, op: Op, inputs: &[usize], params: &[usize]) -> Node {
    Node {
        name: name.into(),
        op,
        inputs: inputs.iter().copied().map(NodeId).collect(),
        params: params.iter().copied().map(ParamId).collect(),
    }
}

fn input(shape: &[usize]) -> Node {
    node("input", Op::Input { shape: shape.into() }, &[], &[])
}

fn assemble(nodes: Vec<Node>, params: Vec<Param>, outputs: &[usize]) -> Result<Network, Error> {
    let shape = match &nodes[0].op {
        Op::Input { shape } => shape.clone(),
        _ => vec![1],
    };
    let outputs = outputs.iter().copied().map(NodeId).collect();
    Network::new("net", nodes, params, outputs, Metadata::for_input(&shape))
}

#[test]
fn the_reference_cnn_has_the_published_shapes_and_140_598_parameters() {
    let net = presets::reference_cnn(1);
    let shape = |name: &str| net.shape(net.find(name).unwrap()).to_vec();
    assert_eq!(shape("relu1"), [32, 24, 24]);
    assert_eq!(shape("conv2"), [32, 20, 20]);
    assert_eq!(shape("pool1"), [32, 10, 10]);
    assert_eq!(shape("conv3"), [64, 8, 8]);
    assert_eq!(shape("relu4"), [64, 6, 6]);
    assert_eq!(shape("pool2"), [64, 3, 3]);
    assert_eq!(shape("flatten"), [576]);
    assert_eq!(shape("dense1"), [100]);
    assert_eq!(shape("probabilities"), [10]);
    let total: usize = net.params().iter().map(|param| param.values.len()).sum();
    assert_eq!(total, 140_598);
    let names: Vec<&str> = net.nodes().iter().map(|node| node.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "input",
            "conv1",
            "relu1",
            "conv2",
            "relu2",
            "pool1",
            "conv3",
            "relu3",
            "conv4",
            "relu4",
            "pool2",
            "flatten",
            "dense1",
            "relu5",
            "logits",
            "probabilities"
        ]
    );
    assert_eq!(net.outputs(), [net.find("logits").unwrap(), net.find("probabilities").unwrap()]);
    assert_eq!(net.output(), net.find("probabilities").unwrap());
    assert_eq!(net.logits(), net.find("logits").unwrap());
    assert_eq!(net.metadata().labels[9], "9");
}

#[test]
fn a_seed_gives_a_hash_and_another_seed_another() {
    let net = presets::reference_cnn(1);
    assert_eq!(net.hash(), presets::reference_cnn(1).hash());
    assert_ne!(net.hash(), presets::reference_cnn(2).hash());
    assert_eq!(net.hash().len(), 64);
}

#[test]
fn initial_weights_never_change_with_a_library_version() {
    assert_eq!(
        presets::reference_cnn(1).hash(),
        "8e731f419d65409050641be82bf601db2b60d6a3655b62f086061e83bd56f819"
    );
}

#[test]
fn new_values_change_the_hash_and_metadata_do_not() {
    let net = presets::reference_cnn(1);
    let mut values: Vec<Arc<[f32]>> = net.params().iter().map(|p| p.values.clone()).collect();
    let same = net.with_values(values.clone()).unwrap();
    assert_eq!(same.hash(), net.hash());
    values[1] = vec![0.25; 32].into();
    let changed = net.with_values(values.clone()).unwrap();
    assert_ne!(changed.hash(), net.hash());
    assert_eq!(changed.params()[1].values[0], 0.25);
    assert_eq!(net.with_metadata(Metadata::default()).hash(), net.hash());

    values[1] = vec![0.25; 31].into();
    let error = net.with_values(values.clone()).unwrap_err().to_string();
    assert!(error.contains("\"conv1.bias\" has shape [32] but 31 values"), "{error}");
    values.pop();
    let error = net.with_values(values).unwrap_err().to_string();
    assert!(error.contains("12 parameters, got 11"), "{error}");
}

#[test]
fn a_mistyped_name_is_answered_with_the_nearest() {
    let error = presets::reference_cnn(1).find("Conv_3").unwrap_err();
    let Error::UnknownNode { nearest, .. } = &error else { panic!("{error}") };
    assert_eq!(nearest[0], "conv3");
    assert!(error.to_string().contains("no node named \"Conv_3\""), "{error}");
}

#[test]
fn branches_join_in_add_and_concat() {
    let mut b = NetworkBuilder::new("branches");
    let trunk = b.input("", &[3, 8, 8]).conv("", ConvSpec::new(4, 3).same()).last();
    let left = b.relu("").conv("", ConvSpec::new(4, 3).same()).last();
    let sum = b.add("", &[trunk, left]).last();
    let right = b.at(trunk).conv("", ConvSpec::new(6, 1).no_bias()).last();
    b.concat("joined", &[sum, right]).output();
    let net = b.build(3).unwrap();
    let names: Vec<&str> = net.nodes().iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["input", "conv1", "relu1", "conv2", "add1", "conv3", "joined"]);
    assert_eq!(net.shape(net.output()), [10, 8, 8]);
    assert_eq!(net.logits(), net.output());
}

#[test]
fn same_padding_keeps_the_size_and_puts_the_odd_pixel_at_the_end() {
    let net = NetworkBuilder::new("same")
        .input("x", &[1, 28, 7])
        .conv("even", ConvSpec::new(1, 4).same())
        .conv("strided", ConvSpec::new(1, 3).stride(2).same())
        .max_pool("pool", cutaway_net::PoolSpec::new(3).stride(2).same())
        .build(0)
        .unwrap();
    let conv = |name: &str| match net.node(net.find(name).unwrap()).op {
        Op::Conv(conv) => conv.padding,
        _ => unreachable!(),
    };
    assert_eq!(net.shape(NodeId(1)), [1, 28, 7]);
    assert_eq!(conv("even"), [1, 1, 2, 2]);
    assert_eq!(net.shape(NodeId(2)), [1, 14, 4]);
    assert_eq!(conv("strided"), [0, 1, 1, 1]);
    assert_eq!(net.shape(NodeId(3)), [1, 7, 2]);
}

#[test]
fn the_builder_names_every_layer_that_does_not_fit_and_blames_no_other() {
    let error = NetworkBuilder::new("wrong")
        .input("image", &[1, 8, 8])
        .conv("too_big", ConvSpec::new(4, 9))
        .relu("innocent")
        .at(NodeId(0))
        .dense("early", 10)
        .build(0)
        .unwrap_err();
    let Error::Build { problems, .. } = &error else { panic!("{error}") };
    assert_eq!(problems.len(), 2);
    let text = error.to_string();
    assert!(text.contains("\"too_big\" (Conv): the kernel spans 9 along the height"), "{text}");
    assert!(text.contains("\"early\" (Dense): expected a vector"), "{text}");
    assert!(text.contains("put a Flatten before it"), "{text}");
}

#[test]
fn absurd_sizes_are_errors_and_not_allocations() {
    const HUGE: usize = usize::MAX;
    let builders: [fn(&mut NetworkBuilder) -> &mut NetworkBuilder; 10] = [
        |b| b.conv("x", ConvSpec::new(HUGE, 1)),
        |b| b.conv("x", ConvSpec::new(1 << 40, 3)),
        |b| b.conv("x", ConvSpec::new(1, HUGE)),
        |b| b.conv("x", ConvSpec::new(1, 0)),
        |b| b.conv("x", ConvSpec::new(0, 1)),
        |b| b.conv("x", ConvSpec::new(1, 3).dilation(HUGE)),
        |b| b.conv("x", ConvSpec::new(1, 3).stride(0)),
        |b| b.conv("x", ConvSpec::new(1, 3).padding([HUGE; 4])),
        |b| b.conv("x", ConvSpec::new(1, 3).padding([1 << 30; 4])),
        |b| b.max_pool("x", HUGE),
    ];
    for build in builders {
        let mut b = NetworkBuilder::new("absurd");
        b.input("image", &[1, 8, 8]);
        build(&mut b);
        let error = b.build(0).unwrap_err().to_string();
        assert!(error.contains("\"x\""), "{error}");
    }
    let error =
        NetworkBuilder::new("n").input("image", &[HUGE, HUGE, 2]).build(0).unwrap_err().to_string();
    assert!(error.contains("\"image\" (Input)"), "{error}");
}

#[test]
fn a_network_is_refused_for_each_promise_it_breaks() {
    let conv = || Op::Conv(Conv::default());
    let relu = |name, from| node(name, Op::Relu, &[from], &[]);
    let cases: Vec<(Result<Network, Error>, &str)> = vec![
        (assemble(vec![input(&[2]), relu("input", 0)], vec![], &[1]), "used twice"),
        (assemble(vec![input(&[2]), relu("", 0)], vec![], &[1]), "empty name"),
        (assemble(vec![input(&[2]), relu("a", 1)], vec![], &[1]), "topological order"),
        (assemble(vec![input(&[2]), relu("a", 9)], vec![], &[1]), "does not exist"),
        (assemble(vec![relu("a", 0)], vec![], &[0]), "exactly one Input node, got 0"),
        (
            assemble(vec![input(&[2]), Node { name: "b".into(), ..input(&[2]) }], vec![], &[1]),
            "exactly one Input node, got 2",
        ),
        (assemble(vec![input(&[2]), relu("a", 0)], vec![], &[]), "at least one output"),
        (assemble(vec![input(&[2]), relu("a", 0)], vec![], &[0]), "cannot be an output"),
        (assemble(vec![input(&[2]), relu("a", 0)], vec![], &[5]), "does not exist"),
        (assemble(vec![input(&[2]), relu("a", 0)], vec![], &[1, 1]), "twice"),
        (assemble(vec![input(&[2]), relu("a", 0)], vec![param("w", &[1])], &[1]), "once each"),
        (
            assemble(
                vec![input(&[1, 4, 4]), node("c", conv(), &[0], &[0])],
                vec![param("w", &[2, 3, 1, 1])],
                &[1],
            ),
            "the weight [2, 3, 1, 1] is for 3 input channels",
        ),
        (
            assemble(
                vec![input(&[1, 4, 4]), node("c", conv(), &[0], &[0, 1])],
                vec![param("w", &[2, 1, 1, 1]), param("b", &[3])],
                &[1],
            ),
            "expected a bias of shape [2], one number an output, got [3]",
        ),
        (
            assemble(
                vec![input(&[3]), node("d", Op::Dense, &[0], &[0])],
                vec![Param { shape: vec![2, 4], ..param("w", &[2, 3]) }],
                &[1],
            ),
            "\"w\" has shape [2, 4] but 6 values",
        ),
        (
            assemble(vec![input(&[3]), relu("a", 0), node("s", Op::Add, &[1], &[])], vec![], &[2]),
            "at least 2 inputs, got 1",
        ),
        (
            assemble(
                vec![
                    input(&[3]),
                    node("n", Op::BatchNorm { epsilon: 1e-5, momentum: 0.9 }, &[0], &[0, 1, 2, 3]),
                ],
                ["a", "b", "c", "d"].map(|name| param(name, &[3])).into(),
                &[1],
            ),
            "running statistic",
        ),
        (
            assemble(
                vec![input(&[3]), node("d", Op::Dropout { rate: 1.0 }, &[0], &[])],
                vec![],
                &[1],
            ),
            "the rate is 1",
        ),
        (
            assemble(
                vec![input(&[6]), node("r", Op::Reshape { shape: vec![4] }, &[0], &[])],
                vec![],
                &[1],
            ),
            "(6 elements) cannot become [4] (4 elements)",
        ),
    ];
    for (result, expected) in cases {
        let error = result.expect_err(expected).to_string();
        assert!(error.contains(expected), "expected {expected:?} in {error:?}");
    }
}

#[test]
fn metadata_that_contradict_the_graph_are_refused() {
    let with = |change: &dyn Fn(&mut Metadata)| {
        let mut metadata = Metadata::for_input(&[1, 4, 4]);
        change(&mut metadata);
        let mut b = NetworkBuilder::new("n");
        b.input("x", &[1, 4, 4]).flatten("f").dense("d", 3).metadata(metadata).build(0)
    };
    assert!(with(&|_| ()).is_ok());
    let error = |change: &dyn Fn(&mut Metadata)| with(change).unwrap_err().to_string();
    assert!(
        error(&|m| m.labels = vec!["a".into()]).contains("1 labels but the network's output has 3")
    );
    assert!(error(&|m| m.preprocessing.height = 5).contains("[1, 5, 4]"));
    assert!(error(&|m| m.preprocessing.mean = vec![]).contains("mean has 0 values"));
    assert!(error(&|m| m.preprocessing.std = vec![0.0]).contains("must not be 0"));
    assert!(error(&|m| m.preprocessing.scale = f32::NAN).contains("finite"));
}
