//! How a cost grows with what is held, told by the figures alone.
//!
//! The whole growth is the cost with the most held over that with the fewest. A search of n things may take log n steps,
//! and each of them longer where the things no longer fit into a cache: so much and [`MEMORY`] times as much is logarithmic.
//! What grows more is told by its last step, where fixed costs weigh least: as the power of the number held that
//! it follows there.

/// The whole growth of what does not depend on how many are held.
const FLAT: f64 = 1.5;
/// So many times what a step costs in a cache it may cost in memory.
const MEMORY: f64 = 3.0;
/// A power of the number held that is taken for its first.
const LINEAR: [f64; 2] = [0.7, 1.3];

/// How a cost grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Growth {
    Flat,
    Logarithmic,
    /// Less than linear, and more than a search explains.
    Sublinear,
    Linear,
    Superlinear,
}

impl Growth {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Logarithmic => "logarithmic",
            Self::Sublinear => "sublinear",
            Self::Linear => "linear",
            Self::Superlinear => "superlinear",
        }
    }

    /// Of costs by how many are held, the fewest first. `None` of fewer than two.
    pub(crate) fn of(points: &[(f64, f64)]) -> Option<Self> {
        let [first, .., last] = points else {
            return None;
        };
        let whole = times(points)?;
        if whole <= FLAT {
            return Some(Self::Flat);
        }
        if whole <= MEMORY * last.0.ln() / first.0.ln() {
            return Some(Self::Logarithmic);
        }
        let before = points[points.len() - 2];
        let power = (last.1 / before.1).ln() / (last.0 / before.0).ln();
        let [from, to] = LINEAR;
        Some(match power {
            power if power < from => Self::Sublinear,
            power if power <= to => Self::Linear,
            _ => Self::Superlinear,
        })
    }
}

/// The whole growth: the last cost over the first.
pub(crate) fn times(points: &[(f64, f64)]) -> Option<f64> {
    match points {
        [first, .., last] => Some(last.1 / first.1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Growth;

    const HELD: [f64; 4] = [1e3, 1e5, 1e6, 1e7];

    fn growth(cost: fn(f64) -> f64) -> Growth {
        let points = HELD.map(|held| (held, cost(held)));
        Growth::of(&points).expect("four points")
    }

    #[test]
    fn the_shape_of_a_cost_is_told_by_its_figures() {
        assert_eq!(growth(|_| 3.0), Growth::Flat);
        assert_eq!(growth(f64::ln), Growth::Logarithmic);
        assert_eq!(
            growth(|held| held.ln() * held.powf(0.05)),
            Growth::Logarithmic
        );
        assert_eq!(growth(f64::sqrt), Growth::Sublinear);
        assert_eq!(growth(|held| held), Growth::Linear);
        assert_eq!(growth(|held| held * held.ln()), Growth::Linear);
        assert_eq!(growth(|held| held * held), Growth::Superlinear);
    }

    #[test]
    fn a_fixed_cost_does_not_hide_a_linear_one() {
        assert_eq!(growth(|held| 100_000.0 + held), Growth::Linear);
    }

    #[test]
    fn one_point_has_no_shape() {
        assert_eq!(Growth::of(&[(1e3, 1.0)]), None);
    }
}
