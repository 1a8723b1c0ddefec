//! Numbers as people read them.

/// A length of time in microseconds: `12.3 ms`, `4.56 s`.
pub(super) fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..100_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        100_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

/// A moment of a run, in seconds: `83.2 s`.
pub(super) fn moment(us: u64) -> String {
    format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000)
}

/// A share in per cent with one digit behind the point; 0 of 0 is 0.
pub(super) fn share(part: u64, whole: u64) -> String {
    let per_mille = (part * 1_000).checked_div(whole).unwrap_or(0);
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}

/// A number with its thousands apart: `60,000`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with the noun that it counts: `1 fault`, `2 faults`.
pub(super) fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The value that a share of all of them does not exceed, in hundredths; `None` of none.
pub(super) fn percentile(sorted: &[u64], hundredths: usize) -> Option<u64> {
    let rank = (sorted.len() * hundredths).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        let times = [0, 999, 1_250, 99_999, 250_000, 4_567_000].map(time);
        assert_eq!(
            times,
            ["0 µs", "999 µs", "1.2 ms", "99.9 ms", "250 ms", "4.56 s"]
        );
        assert_eq!(moment(83_270_000), "83.2 s");
        assert_eq!(
            [share(0, 0), share(1, 20), share(3, 3)],
            ["0.0 %", "5.0 %", "100.0 %"]
        );
        assert_eq!(
            [7, 999, 1_000, 60_000].map(count),
            ["7", "999", "1,000", "60,000"]
        );
        assert_eq!(
            [counted(1, "fault"), counted(2, "fault")],
            ["1 fault", "2 faults"]
        );
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50), Some(50));
        assert_eq!(percentile(&hundred, 99), Some(99));
        assert_eq!(percentile(&[7], 99), Some(7));
        assert_eq!(percentile(&[7, 9], 50), Some(7));
        assert_eq!(percentile(&[], 50), None);
    }
}
