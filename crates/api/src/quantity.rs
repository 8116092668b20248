//! Amounts of resources: `100m`, `1.5Gi`, `1e3`, exact and printed as Go prints them.
//!
//! A quantity remembers its form (binary, decimal, exponent). What was written in a form that upstream
//! takes as it is prints as it was written, `1.001` for example; everything else prints canonically.
//!
//! Source: k8s.io/apimachinery, pkg/api/resource.

use std::{cmp::Ordering, fmt};

use crate::{Text, Value};

/// The smallest part of a unit that is kept, as a power of ten.
const SCALE_MIN: i32 = -9;
/// Digits that surely fit 64 bits.
const DIGITS_FAST: i64 = 18;
/// Digits that fit 128 bits even when two zeros are added for printing.
const DIGITS_MAX: usize = 36;

/// An amount: `value` times ten to the power of `scale`.
#[derive(Clone, Debug)]
pub struct Quantity {
    value: i128,
    scale: i32,
    format: Format,
    /// What was written, if upstream would print just that.
    text: Option<Text>,
}

/// The form in which a quantity is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `12e6`
    DecimalExponent,
    /// `12Mi`
    BinarySi,
    /// `12M`
    DecimalSi,
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The text has another shape; write a number and a suffix.
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// The number cannot be read.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is none of the known ones.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// The parts of a quantity's text.
struct Parts<'a> {
    positive: bool,
    /// Whole digits without leading zeros, `0` if there are none.
    whole: &'a str,
    /// Whether any digit was written.
    has_digits: bool,
    /// Digits after the point.
    fraction: &'a str,
    suffix: &'a str,
}

impl Quantity {
    /// Returns a whole amount.
    #[must_use]
    pub fn new(value: i64, format: Format) -> Self {
        Self::exact(i128::from(value), 0, format)
    }

    /// Returns an amount of thousandths.
    #[must_use]
    pub fn from_milli(value: i64, format: Format) -> Self {
        Self::exact(i128::from(value), -3, format)
    }

    /// Returns zero.
    #[must_use]
    pub fn zero() -> Self {
        Self::new(0, Format::DecimalSi)
    }

    fn exact(value: i128, scale: i32, format: Format) -> Self {
        Self {
            value,
            scale,
            format,
            text: None,
        }
    }

    /// Reads a quantity.
    ///
    /// # Errors
    /// [`QuantityError`] with upstream's text.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Format);
        }
        let parts = split(text)?;
        let (base, exponent, format) = suffix(parts.suffix).ok_or(QuantityError::Suffix)?;
        let digits = (parts.whole.len() + parts.fraction.len()) as i64;
        let fraction_len = parts.fraction.len() as i64;
        if base == 2 {
            let fast = 15 - parts.whole.len() as i64 - i64::from(exponent) * 3 / 10 - 1;
            if fraction_len == 0 && fast >= 0 {
                return Self::parse_binary(text, &parts, exponent);
            }
        } else if digits <= DIGITS_FAST && i64::from(exponent) - fraction_len >= SCALE_MIN.into() {
            return Self::parse_decimal(text, &parts, exponent, format);
        }
        Self::parse_long(&parts, base, exponent, format)
    }

    fn parse_binary(text: &str, parts: &Parts<'_>, exponent: i32) -> Result<Self, QuantityError> {
        let number: i64 = parts.whole.parse().map_err(|_| QuantityError::Numeric)?;
        let value = i128::from(number) << exponent;
        let signed = if parts.positive { value } else { -value };
        let mut quantity = Self::exact(signed, 0, Format::BinarySi);
        quantity.text = (number & 7 != 0).then(|| Text::new(text));
        Ok(quantity)
    }

    fn parse_decimal(
        text: &str,
        parts: &Parts<'_>,
        exponent: i32,
        format: Format,
    ) -> Result<Self, QuantityError> {
        let digits = format!("{}{}", parts.whole, parts.fraction);
        let value: i128 = digits.parse().map_err(|_| QuantityError::Numeric)?;
        let scale = exponent - parts.fraction.len() as i32;
        let signed = if parts.positive { value } else { -value };
        let mut quantity = Self::exact(signed, scale, format);
        let as_written = scale % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0');
        // A lone zero is printed as it is written by the general rule too.
        quantity.text = as_written.then(|| Text::new(text));
        Ok(quantity)
    }

    /// Reads what has many digits or parts smaller than a billionth, which are rounded up.
    fn parse_long(
        parts: &Parts<'_>,
        base: i32,
        exponent: i32,
        mut format: Format,
    ) -> Result<Self, QuantityError> {
        if !parts.has_digits {
            return Err(QuantityError::Numeric);
        }
        let digits: Vec<u8> = parts
            .whole
            .bytes()
            .chain(parts.fraction.bytes())
            .map(|digit| digit - b'0')
            .collect();
        let mut scale = -i64::try_from(parts.fraction.len()).map_err(|_| QuantityError::Numeric)?;
        let digits = if base == 2 {
            times(&digits, 1_u64 << exponent)
        } else {
            scale += i64::from(exponent);
            digits
        };
        let (value, scale) = match round_up(digits, scale) {
            // Binary quantities have a bound of 63 bits.
            Err(_) if base == 2 => (i128::MAX, 0),
            rounded => rounded?,
        };
        let mut quantity = Self::exact(value, scale, format);
        if format == Format::BinarySi {
            let max = Self::new(i64::MAX, format);
            if quantity.compare(&max) == Ordering::Greater {
                quantity = max;
            }
            if quantity.value > 0 && quantity.compare(&Self::new(1, format)) == Ordering::Less {
                format = Format::DecimalSi;
            }
        }
        quantity.format = format;
        if !parts.positive {
            quantity.value = -quantity.value;
        }
        Ok(quantity)
    }

    /// Reads a quantity from a string or a number; null is zero.
    ///
    /// # Errors
    /// [`QuantityError`] with upstream's text, for other types too.
    pub fn from_value(value: &Value) -> Result<Self, QuantityError> {
        match value {
            Value::Null => Ok(Self::zero()),
            Value::String(text) => Self::parse(text.trim()),
            Value::Int(number) => Self::parse(itoa::Buffer::new().format(*number)),
            Value::Float(number) => {
                let mut out = Vec::new();
                crate::json::write_float(*number, &mut out);
                Self::parse(&String::from_utf8_lossy(&out))
            }
            _ => Err(QuantityError::Format),
        }
    }

    /// Returns the printed quantity as a value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::string(self.to_string())
    }

    /// Returns the form in which it is printed.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.value == 0
    }

    /// Returns -1, 0 or 1 for less than, equal to and greater than zero.
    #[must_use]
    pub fn sign(&self) -> i32 {
        self.value.signum() as i32
    }

    /// Returns whole units, a rest rounded away from zero; the nearest bound if it does not fit.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.scaled(0)
    }

    /// Returns thousandths, a rest rounded away from zero; the nearest bound if it does not fit.
    #[must_use]
    pub fn milli_value(&self) -> i64 {
        self.scaled(-3)
    }

    /// Returns the exact number of whole units, if there is one in 64 bits.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        let (value, exact) = self.at_scale(0);
        (exact).then(|| i64::try_from(value).ok()).flatten()
    }

    fn scaled(&self, scale: i32) -> i64 {
        let (value, _) = self.at_scale(scale);
        let bound = if value < 0 { i64::MIN } else { i64::MAX };
        i64::try_from(value).unwrap_or(bound)
    }

    /// Returns the mantissa at another scale, rounded away from zero, and whether it is exact.
    fn at_scale(&self, scale: i32) -> (i128, bool) {
        let steps = i64::from(self.scale) - i64::from(scale);
        let power = u32::try_from(steps.unsigned_abs())
            .ok()
            .and_then(|steps| 10_i128.checked_pow(steps));
        match (power, steps >= 0) {
            _ if self.value == 0 => (0, true),
            (Some(power), true) => (self.value.saturating_mul(power), true),
            (None, true) => (i128::MAX * self.value.signum(), true),
            (Some(power), false) => {
                let rest = self.value % power;
                let up = if rest == 0 { 0 } else { self.value.signum() };
                (self.value / power + up, rest == 0)
            }
            (None, false) => (self.value.signum(), false),
        }
    }

    /// Adds `other`. Zero takes the form of what is added.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, 1);
    }

    /// Subtracts `other`. Zero takes the form of what is subtracted.
    pub fn sub(&mut self, other: &Self) {
        self.combine(other, -1);
    }

    fn combine(&mut self, other: &Self, sign: i128) {
        self.text = None;
        if self.value == 0 {
            self.format = other.format;
            self.scale = other.scale;
        }
        if other.value == 0 {
            return;
        }
        let scale = self.scale.min(other.scale);
        let (left, _) = self.at_scale(scale);
        let (right, _) = other.at_scale(scale);
        self.value = left.saturating_add(right.saturating_mul(sign));
        self.scale = scale;
    }

    /// Multiplies by a whole number.
    pub fn mul(&mut self, factor: i64) {
        self.text = None;
        self.value = self.value.saturating_mul(i128::from(factor));
    }

    /// Changes the sign.
    pub fn neg(&mut self) {
        self.text = None;
        self.value = -self.value;
    }

    /// Compares amounts, whatever their form.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.value.cmp(&other.value);
        }
        let signs = self.value.signum().cmp(&other.value.signum());
        if signs != Ordering::Equal || self.value == 0 {
            return signs;
        }
        let scale = self.scale.min(other.scale);
        self.at_scale(scale).0.cmp(&other.at_scale(scale).0)
    }

    /// Returns the number and the suffix of the canonical form.
    fn canonical(&self) -> (i128, String) {
        if self.value == 0 {
            return (0, String::new());
        }
        if self.format == Format::BinarySi {
            let (whole, exact) = self.at_scale(0);
            if exact && !(-1023..=1023).contains(&whole) {
                return canonical_binary(whole);
            }
        }
        self.canonical_decimal()
    }

    fn canonical_decimal(&self) -> (i128, String) {
        let (mut value, mut exponent) = (self.value, i64::from(self.scale));
        while value % 10 == 0 {
            value /= 10;
            exponent += 1;
        }
        while exponent % 3 != 0 {
            value = value.saturating_mul(10);
            exponent -= 1;
        }
        let suffix = match (self.format, exponent) {
            (_, 0) => String::new(),
            (Format::DecimalExponent, exponent) => format!("e{exponent}"),
            (_, -9) => "n".to_owned(),
            (_, -6) => "u".to_owned(),
            (_, -3) => "m".to_owned(),
            (_, 3) => "k".to_owned(),
            (_, 6) => "M".to_owned(),
            (_, 9) => "G".to_owned(),
            (_, 12) => "T".to_owned(),
            (_, 15) => "P".to_owned(),
            (_, 18) => "E".to_owned(),
            // Upstream prints no suffix where it has none, and so says another number.
            _ => String::new(),
        };
        (value, suffix)
    }
}

fn canonical_binary(mut value: i128) -> (i128, String) {
    const SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let mut step = 0;
    while value % 1024 == 0 && step < SUFFIXES.len() - 1 {
        value /= 1024;
        step += 1;
    }
    (value, SUFFIXES[step].to_owned())
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return f.write_str(text);
        }
        let (number, suffix) = self.canonical();
        write!(f, "{number}{suffix}")
    }
}

/// Equal amounts are equal, whatever their form.
impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

fn split(text: &str) -> Result<Parts<'_>, QuantityError> {
    let digits = |rest: &str| rest.bytes().take_while(u8::is_ascii_digit).count();
    let positive = !text.starts_with('-');
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let rest = rest.trim_start_matches('0');
    let (whole, mut rest) = rest.split_at(digits(rest));
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        (fraction, rest) = after.split_at(digits(after));
    }
    let letters = rest.trim_start_matches(|letter| "eEinumkKMGTP".contains(letter));
    let number = letters.strip_prefix(['-', '+']).unwrap_or(letters);
    if digits(number) != number.len() {
        return Err(QuantityError::Format);
    }
    let written = &text[..text.len() - rest.len()];
    Ok(Parts {
        positive,
        has_digits: written.contains(|letter: char| letter.is_ascii_digit()),
        whole: if whole.is_empty() { "0" } else { whole },
        fraction,
        suffix: rest,
    })
}

/// Returns base, exponent and form of a suffix.
fn suffix(text: &str) -> Option<(i32, i32, Format)> {
    let decimal = |exponent| Some((10, exponent, Format::DecimalSi));
    let binary = |exponent| Some((2, exponent, Format::BinarySi));
    match text {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent: i64 = text.strip_prefix(['e', 'E'])?.parse().ok()?;
            // Upstream cuts the exponent to 32 bits; beyond them nothing can be kept anyway.
            let exponent = exponent.clamp(-1_000_000_000, 1_000_000_000) as i32;
            Some((10, exponent, Format::DecimalExponent))
        }
    }
}

/// Multiplies decimal digits.
fn times(digits: &[u8], factor: u64) -> Vec<u8> {
    let mut carry: u128 = 0;
    let mut product: Vec<u8> = Vec::with_capacity(digits.len() + 20);
    for digit in digits.iter().rev() {
        carry += u128::from(*digit) * u128::from(factor);
        product.push((carry % 10) as u8);
        carry /= 10;
    }
    while carry > 0 {
        product.push((carry % 10) as u8);
        carry /= 10;
    }
    product.reverse();
    product
}

/// Returns a mantissa and a scale that is not below the smallest; what is smaller rounds up.
fn round_up(mut digits: Vec<u8>, mut scale: i64) -> Result<(i128, i32), QuantityError> {
    let below = usize::try_from(i64::from(SCALE_MIN) - scale).unwrap_or(0);
    let mut rest = false;
    if below > 0 {
        let kept = digits.len().saturating_sub(below);
        rest = digits.drain(kept..).any(|digit| digit != 0);
        scale = SCALE_MIN.into();
    }
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..zeros);
    // What was printed may end with zeros that only make its exponent a multiple of three.
    while !rest && digits.len() > DIGITS_MAX && digits.last() == Some(&0) {
        digits.pop();
        scale += 1;
    }
    if digits.len() > DIGITS_MAX {
        // More than upstream's own bound for every form that has one; nothing real is this large.
        return Err(QuantityError::Numeric);
    }
    let value = digits
        .iter()
        .fold(0_i128, |value, digit| value * 10 + i128::from(*digit));
    let scale = i32::try_from(scale).map_err(|_| QuantityError::Numeric)?;
    Ok((value + i128::from(rest), scale))
}

#[cfg(test)]
mod tests {
    use super::{Format, Quantity, QuantityError};
    use crate::{Value, value};

    fn quantity(text: &str) -> Quantity {
        Quantity::parse(text).expect("it is a quantity")
    }

    #[test]
    fn reckons_exactly() {
        let check = |left: &str, right: &str, sum: &str, difference: &str| {
            let mut quantity = self::quantity(left);
            quantity.add(&self::quantity(right));
            assert_eq!(quantity.to_string(), sum);
            let mut quantity = self::quantity(left);
            quantity.sub(&self::quantity(right));
            assert_eq!(quantity.to_string(), difference);
        };
        check("1", "100m", "1100m", "900m");
        check("1Gi", "512Mi", "1536Mi", "512Mi");
        check("0", "1Ki", "1Ki", "-1Ki");
        check("1Ki", "0", "1Ki", "1Ki");
        check("1e3", "1", "1001", "999");
        check(
            "1n",
            "1E",
            "1000000000000000000000000001n",
            "-999999999999999999999999999n",
        );
        let mut quantity = self::quantity("1500m");
        quantity.mul(2);
        assert_eq!(
            (quantity.to_string(), quantity.as_int()),
            ("3".to_owned(), Some(3))
        );
        quantity.neg();
        assert_eq!(
            (quantity.to_string(), quantity.sign()),
            ("-3".to_owned(), -1)
        );
        assert_eq!(
            Quantity::from_milli(1500, Format::DecimalSi).to_string(),
            "1500m"
        );
        assert_eq!(Quantity::zero().to_string(), "0");
        assert!(Quantity::zero().is_zero());
    }

    #[test]
    fn compares_amounts() {
        let check = |left: &str, right: &str, expected: i32| {
            let order = self::quantity(left).compare(&self::quantity(right));
            assert_eq!(order as i32, expected, "{left} {right}");
        };
        check("1", "1000m", 0);
        check("1Ki", "1024", 0);
        check("1Ki", "1k", 1);
        check("-1", "1n", -1);
        check("1e1000", "2", 1);
        check("0", "0e100", 0);
        assert_eq!(quantity("1000m"), quantity("1"));
    }

    #[test]
    fn reads_values() {
        let check = |value: Value, expected: &str| {
            let printed = Quantity::from_value(&value).map(|quantity| quantity.to_string());
            assert_eq!(printed.as_deref(), Ok(expected));
        };
        check(value!(" 1.5 "), "1500m");
        check(value!(2), "2");
        check(Value::Float(0.5), "500m");
        check(Value::Null, "0");
        assert_eq!(
            Quantity::from_value(&value!(true)),
            Err(QuantityError::Format)
        );
        assert_eq!(quantity("1").to_value(), value!("1"));
    }
}
