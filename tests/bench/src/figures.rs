//! What was measured: one value for each round, the median and the spread over the rounds.

use serde::Serialize;

/// One figure, measured once in each round.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was done: `one core, 32 connections`.
    pub scenario: String,
    /// By whom.
    pub contestant: String,
    /// What was read off: `req/s`.
    pub metric: &'static str,
    /// One value a round.
    pub rounds: Vec<f64>,
    /// The middle one.
    pub median: f64,
    /// The smallest and the largest.
    pub range: [f64; 2],
}

/// Everything that was measured, in the order in which it was first seen.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Figures(Vec<Figure>);

impl Figures {
    /// Adds the value of one more round.
    pub fn add(&mut self, scenario: &str, contestant: &str, metric: &'static str, value: f64) {
        let same = |figure: &&mut Figure| {
            figure.scenario == scenario && figure.contestant == contestant && figure.metric == metric
        };
        if let Some(figure) = self.0.iter_mut().find(same) {
            figure.rounds.push(value);
            figure.summarise();
            return;
        }
        let (scenario, contestant) = (scenario.to_owned(), contestant.to_owned());
        let rounds = vec![value];
        self.0.push(Figure { scenario, contestant, metric, rounds, median: value, range: [value; 2] });
    }

    /// A figure, if it was measured.
    pub fn get(&self, scenario: &str, contestant: &str, metric: &str) -> Option<&Figure> {
        self.of(scenario).find(|figure| figure.contestant == contestant && figure.metric == metric)
    }

    /// The figures of one scenario.
    pub fn of(&self, scenario: &str) -> impl Iterator<Item = &Figure> {
        self.0.iter().filter(move |figure| figure.scenario == scenario)
    }

    /// The names of all scenarios.
    pub fn scenarios(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for figure in &self.0 {
            if !names.contains(&figure.scenario.as_str()) {
                names.push(&figure.scenario);
            }
        }
        names
    }

    /// `one` against `other`, round by round: the median ratio, and its range.
    pub fn ratio(&self, scenario: &str, metric: &str, one: &str, other: &str) -> Option<Figure> {
        let (one, other) = (self.get(scenario, one, metric)?, self.get(scenario, other, metric)?);
        let rounds: Vec<f64> = one.rounds.iter().zip(&other.rounds).map(|(one, other)| one / other).collect();
        let mut ratio = Figure { rounds, metric: "ratio", ..one.clone() };
        ratio.summarise();
        Some(ratio)
    }
}

impl Figure {
    fn summarise(&mut self) {
        let mut sorted = self.rounds.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let (middle, last) = (sorted.len() / 2, sorted.len().saturating_sub(1));
        self.median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(at(middle.saturating_sub(1)), at(middle))
        } else {
            at(middle)
        };
        self.range = [at(0), at(last)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_and_ratios_are_taken_round_by_round() {
        let mut figures = Figures::default();
        for (ours, theirs) in [(2.0, 4.0), (9.0, 10.0), (3.0, 5.0)] {
            figures.add("load", "a", "req/s", ours);
            figures.add("load", "b", "req/s", theirs);
        }
        assert_eq!(figures.get("load", "a", "req/s").unwrap().median, 3.0);
        let ratio = figures.ratio("load", "req/s", "a", "b").unwrap();
        assert_eq!((ratio.median, ratio.range), (0.6, [0.5, 0.9]));
        figures.add("load", "a", "req/s", 4.0);
        assert_eq!(figures.get("load", "a", "req/s").unwrap().median, 3.5);
    }
}
