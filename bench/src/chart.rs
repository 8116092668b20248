//! The chart of the README: one bar a row, on a scale of powers of two.

use std::fmt::Write as _;

use crate::book::Bar;

const WIDTH: f64 = 860.0;
const LABEL: f64 = 300.0;
const FIGURES: f64 = 200.0;
const ROW: f64 = 26.0;
const TOP: f64 = 64.0;

/// Draws the bars as SVG that is readable on light and on dark pages.
pub(crate) fn draw(bars: &[Bar]) -> String {
    #[allow(clippy::cast_precision_loss)]
    let height = TOP + ROW * bars.len() as f64 + 16.0;
    let room = WIDTH - LABEL - FIGURES - 60.0;
    let most = bars.iter().map(|bar| bar.times).fold(8.0, f64::max);
    // Each doubling is equally long, so that a factor of 5 and one of 100 can both be read.
    let length = |times: f64| (times.max(1.0).log2() / most.log2() * room).max(1.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\" role=\"img\" \
         aria-label=\"How many times less than kube-apiserver and etcd\">\n\
         <style>text{{fill:#24292f}}.dim{{fill:#57606a}}.bar{{fill:#0969da}}.line{{stroke:#d0d7de}}\
         @media (prefers-color-scheme: dark){{text{{fill:#e6edf3}}.dim{{fill:#9198a1}}\
         .bar{{fill:#4493f8}}.line{{stroke:#3d444d}}}}</style>\n\
         <text x=\"0\" y=\"18\" font-size=\"15\" font-weight=\"600\">\
         Pintle beside kube-apiserver 1.37.1 and etcd 3.7.3: how many times less</text>\n",
    );
    let mut mark = 1.0_f64;
    while mark <= most {
        let x = LABEL + if mark > 1.0 { length(mark) } else { 0.0 };
        let _ = writeln!(
            svg,
            "<line class=\"line\" x1=\"{x:.0}\" y1=\"{:.0}\" x2=\"{x:.0}\" y2=\"{:.0}\"/>\
             <text class=\"dim\" x=\"{x:.0}\" y=\"{:.0}\" text-anchor=\"middle\" font-size=\"11\">{mark}×</text>",
            TOP - 8.0,
            height - 12.0,
            TOP - 14.0,
        );
        mark *= 4.0;
    }
    let mut y = TOP;
    for bar in bars {
        let end = length(bar.times);
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
             <rect class=\"bar\" x=\"{LABEL}\" y=\"{:.0}\" width=\"{end:.1}\" height=\"16\" rx=\"2\"/>\
             <text x=\"{:.0}\" y=\"{:.0}\"><tspan font-weight=\"600\">{}×</tspan>\
             <tspan class=\"dim\" font-size=\"11\" dx=\"6\">{}</tspan></text>",
            LABEL - 10.0,
            y + 13.0,
            escaped(bar.title),
            y,
            LABEL + end + 6.0,
            y + 13.0,
            times_text(bar.times),
            escaped(&bar.figures),
        );
        y += ROW;
    }
    svg.push_str("</svg>\n");
    svg
}

fn times_text(times: f64) -> String {
    if times >= 10.0 {
        format!("{times:.0}")
    } else {
        format!("{times:.1}")
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::book::Bar;

    #[test]
    fn draws_a_bar_with_its_number() {
        let svg = draw(&[Bar {
            title: "a < b",
            times: 12.4,
            figures: "1 → 2".to_owned(),
        }]);
        assert!(svg.contains(">12×<") && svg.contains("a &lt; b"));
        assert_eq!(svg.matches("<rect").count(), 1);
    }
}
