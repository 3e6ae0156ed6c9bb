//! Throughput as bars, each against the native contestant of its own run.

use anyhow::anyhow;
use plotters::prelude::*;

use super::Report;
use crate::contestant::NATIVE;
use crate::scenario::ONE_CORE;

const WIDTH: u32 = 900;
const ROW: u32 = 34;
const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xeb);
const THEIRS: RGBColor = RGBColor(0x9a, 0xa4, 0xb2);

/// The chart as SVG, if the scenario was measured.
pub(super) fn throughput(report: &Report) -> anyhow::Result<Option<String>> {
    let ratios: Vec<(&str, &str, f64)> = report
        .contestants
        .iter()
        .filter_map(|(name, label)| {
            Some((name.as_str(), label.as_str(), report.figures.ratio(ONE_CORE, "req/s", name, NATIVE)?.median))
        })
        .collect();
    if ratios.is_empty() {
        return Ok(None);
    }
    let mut svg = String::new();
    let height = ROW * u32::try_from(ratios.len())? + 70;
    draw(&mut svg, height, &ratios).map_err(|error| anyhow!("cannot draw the chart: {error}"))?;
    Ok(Some(svg))
}

fn draw(svg: &mut String, height: u32, ratios: &[(&str, &str, f64)]) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let title = "requests per second against native axum (one core for the server, 32 connections)";
    area.draw(&Text::new(title, (16, 14), ("sans-serif", 16).into_font().color(&BLACK)))?;
    for (row, (name, label, ratio)) in (0..).zip(ratios) {
        let top = 48 + row * i32::try_from(ROW)?;
        let colour = if name.starts_with("codenode") { OURS } else { THEIRS };
        #[expect(clippy::cast_possible_truncation, reason = "pixels")]
        let right = 420 + (ratio * 400.0).round().min(440.0) as i32;
        area.draw(&Text::new((*label).to_owned(), (16, top + 5), ("sans-serif", 13).into_font().color(&BLACK)))?;
        area.draw(&Rectangle::new([(420, top), (right.max(421), top + 22)], colour.filled()))?;
        area.draw(&Text::new(
            format!("{ratio:.3}"),
            (right + 6, top + 5),
            ("sans-serif", 13).into_font().color(&BLACK),
        ))?;
    }
    area.present()?;
    Ok(())
}
