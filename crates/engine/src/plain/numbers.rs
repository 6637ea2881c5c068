//! Functions of one and of two numbers, with their derivatives.

use std::ops::{Add, Div, Mul, Neg, Sub};

use cutaway_net::{Binary, Unary};

/// f32 or f64.
pub(crate) trait Real:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Send
    + Sync
    + 'static
{
    /// From f64, rounded.
    fn narrow(x: f64) -> Self;
    /// As f64, exactly.
    fn wide(self) -> f64;
    /// `eˣ`
    fn exp(self) -> Self;
    /// `√x`
    fn sqrt(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
}

macro_rules! real {
    ($t:ty) => {
        #[allow(clippy::unnecessary_cast)] // one of the two kinds is f64 itself
        impl Real for $t {
            #[inline(always)]
            fn narrow(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn wide(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn exp(self) -> Self {
                <$t>::exp(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                <$t>::sqrt(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                <$t>::tanh(self)
            }
        }
    };
}

real!(f32);
real!(f64);

/// A function of one number.
#[inline(always)]
pub(crate) fn unary<T: Real>(unary: Unary, x: T) -> T {
    let c = |value: f32| T::narrow(f64::from(value));
    let (zero, one) = (T::narrow(0.0), T::narrow(1.0));
    match unary {
        Unary::Abs => {
            if x < zero {
                -x
            } else {
                x
            }
        }
        Unary::Reciprocal => one / x,
        Unary::Sqrt => x.sqrt(),
        Unary::Exp => x.exp(),
        Unary::Log => T::narrow(x.wide().ln()),
        Unary::Erf => T::narrow(erf(x.wide())),
        Unary::Sigmoid => one / (one + (-x).exp()),
        Unary::Tanh => x.tanh(),
        Unary::Softplus => T::narrow(softplus(x.wide())),
        Unary::Softsign => x / (one + unary_abs(x)),
        Unary::Sin => T::narrow(x.wide().sin()),
        Unary::Cos => T::narrow(x.wide().cos()),
        Unary::HardSwish => x * clamp(x / c(6.0) + c(0.5), zero, one),
        Unary::Mish => T::narrow(x.wide() * softplus(x.wide()).tanh()),
        Unary::Gelu => T::narrow(x.wide() * phi(x.wide())),
        Unary::GeluTanh => T::narrow(0.5 * x.wide() * (1.0 + gelu_inner(x.wide()).tanh())),
        Unary::Floor => T::narrow(x.wide().floor()),
        Unary::Ceil => T::narrow(x.wide().ceil()),
        Unary::Round => T::narrow(x.wide().round_ties_even()),
        Unary::Truncate => T::narrow(x.wide().trunc()),
        Unary::Sign => {
            if x > zero {
                one
            } else if x < zero {
                -one
            } else {
                x
            }
        }
        Unary::Not => condition(x == zero),
        Unary::NonZero => condition(x != zero),
        Unary::Celu { alpha } => {
            if x < zero {
                c(alpha) * ((x / c(alpha)).exp() - one)
            } else {
                x
            }
        }
        Unary::ThresholdedRelu { alpha } => {
            if x > c(alpha) || x.wide().is_nan() {
                x
            } else {
                zero
            }
        }
        Unary::LeakyRelu { slope } => {
            if x < zero {
                c(slope) * x
            } else {
                x
            }
        }
        Unary::Elu { alpha } => {
            if x < zero {
                c(alpha) * (x.exp() - one)
            } else {
                x
            }
        }
        Unary::Selu { alpha, gamma } => {
            c(gamma) * if x < zero { c(alpha) * (x.exp() - one) } else { x }
        }
        Unary::HardSigmoid { alpha, beta } => clamp(c(alpha) * x + c(beta), zero, one),
        Unary::Clip { low, high } => clamp(x, c(low), c(high)),
        Unary::Power { exponent } => power(x, exponent),
        Unary::Scale { factor } => c(factor) * x,
        Unary::Shift { by } => x + c(by),
        Unary::Quantise { scale, zero, low, high } => {
            let code = level(x.wide(), scale) + f64::from(zero);
            let code = code.clamp(f64::from(low), f64::from(high));
            T::narrow(f64::from(scale) * (code - f64::from(zero)))
        }
    }
}

/// Its derivative at `x`, where it is `y`. On a kink the slope of one side, as PyTorch chooses it.
#[inline(always)]
pub(crate) fn unary_slope<T: Real>(unary: Unary, x: T, y: T) -> T {
    let c = |value: f32| T::narrow(f64::from(value));
    let (zero, one) = (T::narrow(0.0), T::narrow(1.0));
    let when = |yes: bool| if yes { one } else { zero };
    let (wide, of_y) = (x.wide(), y.wide());
    match unary {
        Unary::Abs => {
            if x > zero {
                one
            } else if x < zero {
                -one
            } else {
                zero
            }
        }
        Unary::Reciprocal => -(y * y),
        Unary::Sqrt => T::narrow(0.5 / of_y),
        Unary::Exp => y,
        Unary::Log => one / x,
        Unary::Erf => T::narrow(std::f64::consts::FRAC_2_SQRT_PI * (-wide * wide).exp()),
        Unary::Sigmoid => y * (one - y),
        Unary::Tanh => one - y * y,
        Unary::Softplus => T::narrow(1.0 / (1.0 + (-wide).exp())),
        Unary::Softsign => T::narrow((1.0 + wide.abs()).powi(-2)),
        Unary::Sin => T::narrow(wide.cos()),
        Unary::Cos => T::narrow(-wide.sin()),
        Unary::HardSwish => T::narrow(match wide {
            x if x <= -3.0 => 0.0,
            x if x >= 3.0 => 1.0,
            x => x / 3.0 + 0.5,
        }),
        Unary::Mish => {
            let t = softplus(wide).tanh();
            T::narrow(t + wide * (1.0 - t * t) / (1.0 + (-wide).exp()))
        }
        Unary::Gelu => {
            let density = (-0.5 * wide * wide).exp() / (2.0 * std::f64::consts::PI).sqrt();
            T::narrow(phi(wide) + wide * density)
        }
        Unary::GeluTanh => {
            let t = gelu_inner(wide).tanh();
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (1.0 + 3.0 * 0.044715 * wide * wide);
            T::narrow(0.5 * (1.0 + t) + 0.5 * wide * (1.0 - t * t) * inner)
        }
        Unary::Floor
        | Unary::Ceil
        | Unary::Round
        | Unary::Truncate
        | Unary::Sign
        | Unary::Not
        | Unary::NonZero => zero,
        Unary::Celu { alpha } => {
            if x > zero {
                one
            } else {
                (x / c(alpha)).exp()
            }
        }
        Unary::ThresholdedRelu { alpha } => when(x > c(alpha)),
        Unary::LeakyRelu { slope } => {
            if x > zero {
                one
            } else {
                c(slope)
            }
        }
        Unary::Elu { alpha } => {
            if x > zero {
                one
            } else {
                c(alpha) * x.exp()
            }
        }
        Unary::Selu { alpha, gamma } => c(gamma) * if x > zero { one } else { c(alpha) * x.exp() },
        Unary::HardSigmoid { alpha, .. } => c(alpha) * when(y > zero && y < one),
        Unary::Clip { low, high } => when(x >= c(low) && x <= c(high)),
        Unary::Power { exponent } => {
            T::narrow(f64::from(exponent) * wide.powf(f64::from(exponent) - 1.0))
        }
        Unary::Scale { factor } => c(factor),
        Unary::Shift { .. } => one,
        Unary::Quantise { scale, zero, low, high } => {
            let code = level(wide, scale) + f64::from(zero);
            when((f64::from(low)..=f64::from(high)).contains(&code))
        }
    }
}

/// A function of two numbers.
#[inline(always)]
pub(crate) fn binary<T: Real>(binary: Binary, a: T, b: T) -> T {
    match binary {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => T::narrow(a.wide().powf(b.wide())),
        Binary::Min => {
            if b < a || b.wide().is_nan() {
                b
            } else {
                a
            }
        }
        Binary::Max => {
            if b > a || b.wide().is_nan() {
                b
            } else {
                a
            }
        }
        Binary::PRelu => {
            if a < T::narrow(0.0) {
                b * a
            } else {
                a
            }
        }
        Binary::Equal => condition(a == b),
        Binary::Less => condition(a < b),
        Binary::LessOrEqual => condition(a <= b),
        Binary::And => condition(is_true(a) && is_true(b)),
        Binary::Or => condition(is_true(a) || is_true(b)),
        Binary::Xor => condition(is_true(a) != is_true(b)),
    }
}

/// A number as a condition: all but 0 is true.
#[inline(always)]
pub(crate) fn is_true<T: Real>(x: T) -> bool {
    x != T::narrow(0.0)
}

fn condition<T: Real>(yes: bool) -> T {
    T::narrow(if yes { 1.0 } else { 0.0 })
}

/// Its derivatives by `a` and by `b`.
#[inline(always)]
pub(crate) fn binary_slopes<T: Real>(binary: Binary, a: T, b: T) -> [T; 2] {
    let (zero, one) = (T::narrow(0.0), T::narrow(1.0));
    match binary {
        Binary::Add => [one, one],
        Binary::Sub => [one, -one],
        Binary::Mul => [b, a],
        Binary::Div => [one / b, -(a / (b * b))],
        Binary::Pow => {
            let (x, p) = (a.wide(), b.wide());
            let log = if x > 0.0 { x.powf(p) * x.ln() } else { 0.0 };
            [T::narrow(p * x.powf(p - 1.0)), T::narrow(log)]
        }
        Binary::Min => {
            if b < a {
                [zero, one]
            } else {
                [one, zero]
            }
        }
        Binary::Max => {
            if b > a {
                [zero, one]
            } else {
                [one, zero]
            }
        }
        Binary::Equal
        | Binary::Less
        | Binary::LessOrEqual
        | Binary::And
        | Binary::Or
        | Binary::Xor => [zero, zero],
        Binary::PRelu => {
            if a > zero {
                [one, zero]
            } else {
                [b, a]
            }
        }
    }
}

fn unary_abs<T: Real>(x: T) -> T {
    if x < T::narrow(0.0) { -x } else { x }
}

/// A NaN stays a NaN.
#[inline(always)]
fn clamp<T: Real>(x: T, low: T, high: T) -> T {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// Small whole powers and roots as what they are.
fn power<T: Real>(x: T, exponent: f32) -> T {
    match exponent {
        2.0 => x * x,
        3.0 => x * x * x,
        0.5 => x.sqrt(),
        _ => T::narrow(x.wide().powf(f64::from(exponent))),
    }
}

/// The whole number that stands for `x`, ties to even; divided in f32, as the file means it.
fn level(x: f64, scale: f32) -> f64 {
    f64::from((x as f32 / scale).round_ties_even())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Distribution function of the normal distribution.
fn phi(x: f64) -> f64 {
    0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

fn gelu_inner(x: f64) -> f64 {
    (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)
}

/// The error function to about 1e-15: its power series up to 2.5 (Abramowitz & Stegun 1964, 7.1.6), and
/// beyond it the continued fraction of its complement (7.1.14).
pub(crate) fn erf(x: f64) -> f64 {
    let size = x.abs();
    if size.is_nan() {
        return x;
    }
    let value = if size < 2.5 {
        // 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (1 · 3 · … · (2n+1))
        let (mut term, mut sum, mut n) = (size, size, 0.0);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= 2.0 * size * size / (2.0 * n + 1.0);
            sum += term;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-size * size).exp() * sum
    } else if size < 6.0 {
        // √π e^(x²) erfc(x) = 1/(x+ (1/2)/(x+ 1/(x+ (3/2)/(x+ …
        let fraction = (1..=60).rev().fold(size, |below, n| size + 0.5 * f64::from(n) / below);
        1.0 - (-size * size).exp() / (fraction * std::f64::consts::PI.sqrt())
    } else {
        1.0
    };
    value.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_has_the_values_of_the_tables() {
        // Abramowitz & Stegun, table 7.1, and mpmath for the larger ones.
        let table = [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (2.6, 0.999_763_965_583_470_6),
            (3.5, 0.999_999_256_901_627_7),
        ];
        for (x, wanted) in table {
            assert!((erf(x) - wanted).abs() < 1e-14, "{x}: {} {wanted}", erf(x));
            assert!((erf(-x) + wanted).abs() < 1e-14, "-{x}");
        }
    }
}
