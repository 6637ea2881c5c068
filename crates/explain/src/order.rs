//! An order in which similar things are neighbours.

/// An order of vectors of equal length in which neighbours are alike: the path through all of them
/// along which the cosines between neighbours are large.
///
/// From the longest vector to the nearest one not yet visited, and so on; then pieces of the path
/// are turned round as long as that helps (2-opt, Croes 1958). The shortest path would take
/// exponential time; this one is never worse than where it began. A vector of length 0 has cosine
/// 0 to all others.
pub fn similarity_order(vectors: &[&[f32]]) -> Vec<usize> {
    if vectors.is_empty() {
        return Vec::new();
    }
    let cosines = cosines(vectors);
    let mut path = nearest_neighbours(vectors, &cosines);
    // Each pass is quadratic; almost always a handful of passes is enough.
    for _ in 0..50 {
        if !improve(&mut path, &cosines) {
            break;
        }
    }
    path
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

fn cosines(vectors: &[&[f32]]) -> Vec<Vec<f64>> {
    let norms: Vec<f64> = vectors.iter().map(|v| dot(v, v).sqrt()).collect();
    let cosine = |i: usize, j: usize| {
        dot(vectors[i], vectors[j]) / (norms[i] * norms[j]).max(f64::MIN_POSITIVE)
    };
    let row = |i: usize| (0..vectors.len()).map(|j| cosine(i, j)).collect();
    (0..vectors.len()).map(row).collect()
}

fn nearest_neighbours(vectors: &[&[f32]], cosines: &[Vec<f64>]) -> Vec<usize> {
    let longest = |best: usize, i: usize| {
        if dot(vectors[i], vectors[i]) > dot(vectors[best], vectors[best]) { i } else { best }
    };
    let mut path = vec![(0..vectors.len()).fold(0, longest)];
    let mut left: Vec<usize> = (0..vectors.len()).filter(|i| *i != path[0]).collect();
    while !left.is_empty() {
        let last = path[path.len() - 1];
        let mut best = 0;
        for (at, &i) in left.iter().enumerate() {
            if cosines[last][i] > cosines[last][left[best]] {
                best = at;
            }
        }
        path.push(left.remove(best));
    }
    path
}

/// Turns pieces of the path round where that brings more similar ones together.
fn improve(path: &mut [usize], cosines: &[Vec<f64>]) -> bool {
    let n = path.len();
    let mut improved = false;
    for start in 0..n {
        for end in start + 1..n {
            let edge = |a: Option<&usize>, b: Option<&usize>| match (a, b) {
                (Some(&a), Some(&b)) => cosines[a][b],
                _ => 0.0,
            };
            let before = start.checked_sub(1).and_then(|i| path.get(i));
            let (first, last, after) = (path.get(start), path.get(end), path.get(end + 1));
            let now = edge(before, first) + edge(last, after);
            if edge(before, last) + edge(first, after) > now + 1e-12 {
                path[start..=end].reverse();
                improved = true;
            }
        }
    }
    improved
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directions around half a circle, given in a shuffled order.
    #[test]
    fn directions_around_a_half_circle_come_out_in_their_order() {
        let shuffled = [7usize, 2, 9, 0, 5, 3, 8, 1, 6, 4];
        let vectors: Vec<[f32; 2]> = shuffled
            .iter()
            .map(|&i| {
                let angle = i as f32 * std::f32::consts::PI / 10.0;
                [angle.cos(), angle.sin()]
            })
            .collect();
        let views: Vec<&[f32]> = vectors.iter().map(|v| &v[..]).collect();
        let mut places: Vec<usize> =
            similarity_order(&views).into_iter().map(|i| shuffled[i]).collect();
        if places[0] > places[9] {
            places.reverse();
        }
        assert_eq!(places, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn an_order_is_a_permutation_even_of_zeros_and_of_nothing() {
        assert_eq!(similarity_order(&[]), Vec::<usize>::new());
        let mut order = similarity_order(&[&[0.0, 0.0], &[1.0, 0.0], &[0.0, 0.0]]);
        order.sort_unstable();
        assert_eq!(order, [0, 1, 2]);
    }
}
