//! A map to walk over: which window the pointer is on, what the network saw there, and what it
//! answered. The figure stands as it is; a reader with a script gets the rest under it.

use std::fmt::Write as _;

use crate::base64;
use crate::color::Rgb;
use crate::colormap::{ColorScale, category_color};
use crate::error::{Error, Result, check_len};
use crate::pixels::PixelGrid;
use crate::{Chapter, Figure, escape};

/// What a window shows.
#[derive(Clone, Debug, PartialEq)]
pub enum HoverCover {
    /// One colour.
    Color(Rgb),
    /// Another image of the same size, at the same place.
    Image(PixelGrid),
}

/// A window that slides over an image, and the probabilities of every class at each of its places.
#[derive(Clone, Debug, PartialEq)]
pub struct HoverMap {
    /// The image.
    pub image: PixelGrid,
    /// What the window shows.
    pub cover: HoverCover,
    /// Rows and columns of the window.
    pub window: (usize, usize),
    /// Places below and beside each other.
    pub grid: (usize, usize),
    /// Pixels from one place to the next.
    pub stride: usize,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The class that is held to be true.
    pub truth: usize,
    /// `[places, classes]`, places in reading order, each 0 to 1. The page keeps them to 1/65535.
    pub probabilities: Vec<f32>,
    /// The place shown first.
    pub start: usize,
}

impl HoverMap {
    fn check(&self) -> Result<()> {
        let (rows, cols) = self.grid;
        let places = rows.saturating_mul(cols);
        let expected = places.saturating_mul(self.classes.len());
        check_len("probabilities of a hover map", expected, self.probabilities.len())?;
        let reach = |count: usize, size: usize| {
            count.saturating_sub(1).saturating_mul(self.stride).saturating_add(size)
        };
        let needed = (reach(rows, self.window.0), reach(cols, self.window.1));
        let size = (self.image.height(), self.image.width());
        let cover = match &self.cover {
            HoverCover::Color(_) => size,
            HoverCover::Image(image) => (image.height(), image.width()),
        };
        let fits = needed.0 <= size.0 && needed.1 <= size.1 && cover == size;
        if places > 0 && fits && self.truth < self.classes.len() && self.start < places {
            return Ok(());
        }
        Err(Error::Shape {
            what: "hover map".to_owned(),
            expected:
                "windows inside the image, a cover of its size, a place and a class that exist"
                    .to_owned(),
            found: format!(
                "windows over {needed:?} of an image of {size:?}, a cover of {cover:?}, place {} of \
                 {places}, class {} of {}",
                self.start,
                self.truth,
                self.classes.len()
            ),
        })
    }

    /// What the script reads.
    fn data(&self) -> Result<String> {
        let classes = self.classes.len();
        let rows = || self.probabilities.chunks_exact(classes);
        let (height, width) = self.grid;
        let truth: Vec<f32> = rows().map(|row| row[self.truth]).collect();
        // The scale of the figure that this map takes the place of.
        let scale = ColorScale::probability_for(truth.iter().map(|&p| f64::from(p)));
        let truth = PixelGrid::from_values(width, height, &truth, &scale)?;
        let predicted = rows().map(|row| category_color(first_largest(row))).collect();
        let predicted = PixelGrid::new(width, height, predicted)?;
        let level = |&p: &f32| ((p.clamp(0.0, 1.0) * 65535.0).round() as u16).to_le_bytes();
        let levels: Vec<u8> = self.probabilities.iter().flat_map(level).collect();
        let cover = match &self.cover {
            HoverCover::Color(color) => color.hex(),
            HoverCover::Image(image) => image.data_uri(),
        };
        let names: Vec<String> = self.classes.iter().map(|name| json_string(name)).collect();
        Ok(format!(
            "{{\"grid\":[{height},{width}],\"window\":[{},{}],\"stride\":{},\"truth\":{},\
             \"start\":{},\"names\":[{}],\"maps\":[\"{}\",\"{}\"],\"image\":\"{}\",\
             \"cover\":\"{cover}\",\"levels\":\"{}\"}}",
            self.window.0,
            self.window.1,
            self.stride,
            self.truth,
            self.start,
            names.join(","),
            truth.data_uri(),
            predicted.data_uri(),
            self.image.data_uri(),
            base64::encode(&levels)
        ))
    }
}

impl Chapter {
    /// Adds a figure, and under it, for readers with a script, the map to walk over with pointer,
    /// finger or arrow keys.
    ///
    /// # Errors
    /// [`Error::Shape`] where the parts of the map do not fit together.
    pub fn hover_map(
        mut self,
        map: &HoverMap,
        figure: &Figure,
        caption: &str,
        command: &str,
    ) -> Result<Chapter> {
        map.check()?;
        let (svg, caption) = (figure.to_inline_svg(), escape(caption));
        let command = crate::html::command(command);
        let truth = escape(&map.classes[map.truth]);
        let _ = writeln!(
            self.body_mut(),
            "<figure class=\"hover-map\">\n{svg}\n<div class=\"hover\" hidden>\n<div \
             class=\"hover-map-pane\"><p>Point at a window, or use the arrow keys</p><canvas \
             tabindex=\"0\" role=\"application\" aria-label=\"Map of windows: arrow keys move the \
             window\"></canvas><p><button type=\"button\" aria-pressed=\"true\">P({truth})</button> \
             <button type=\"button\" aria-pressed=\"false\">prediction</button></p></div>\n<div \
             class=\"hover-image-pane\"><p>What the network sees there</p><canvas \
             aria-hidden=\"true\"></canvas></div>\n<div class=\"hover-bars\"><p>What it \
             answers</p></div>\n<p class=\"hover-words\" aria-live=\"polite\"></p>\n</div>\n\
             <script type=\"application/json\">{}</script>\n<figcaption>{caption}\
             {command}</figcaption>\n</figure>",
            map.data()?
        );
        Ok(self)
    }
}

fn first_largest(values: &[f32]) -> usize {
    let all = values.iter().enumerate();
    all.fold((0, f32::NEG_INFINITY), |b, (i, &v)| if v > b.1 { (i, v) } else { b }).0
}

/// A string of JSON that may stand inside a script element.
fn json_string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // Anything that could end the element or the string.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out + "\""
}

/// Style of the maps, once a page.
pub(crate) const STYLE: &str = "\
.hover{display:grid;grid-template-columns:auto auto minmax(11rem,1fr);gap:.25rem 1.25rem;\
background:var(--panel);border-radius:.5rem;padding:.75rem 1rem;margin-top:.5rem;font-size:.85rem}
.hover[hidden]{display:none}
.hover p{margin:.15rem 0;color:var(--soft)}
.hover canvas{display:block;max-width:100%;border:1px solid var(--rule)}
.hover-map-pane canvas{cursor:crosshair;touch-action:none}
.hover canvas:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.hover button{font:inherit;color:var(--ink);background:var(--paper);border:1px solid var(--rule);\
border-radius:.4rem;padding:.1rem .5rem;cursor:pointer}
.hover button[aria-pressed=true]{border-color:var(--link);box-shadow:inset 0 0 0 1px var(--link)}
.hover-bars div{display:grid;grid-template-columns:minmax(1rem,auto) 1fr 3.2rem;gap:.5rem;\
align-items:center;line-height:1.45;font-variant-numeric:tabular-nums}
.hover-bars span:last-child{text-align:right}
.hover-bars span:first-child{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;\
max-width:8rem}
.hover-bars .bar{height:.7rem;background:var(--soft)}
.hover-bars .said{font-weight:700}
.hover .hover-words{grid-column:1/-1;color:var(--ink);font-size:.95rem;min-height:1.6em}
@media(max-width:46rem){.hover{grid-template-columns:1fr 1fr}.hover-bars{grid-column:1/-1}}
@media print{.hover{display:none}}
";

/// Walks over the maps, once a page. Without it the figures stand alone.
pub(crate) const SCRIPT: &str = r"
document.querySelectorAll('.hover-map').forEach(f => {
  const d = JSON.parse(f.querySelector('script').textContent), n = d.names.length;
  const bytes = Uint8Array.from(atob(d.levels), c => c.charCodeAt(0));
  const p = (i, k) => (bytes[2 * (i * n + k)] + 256 * bytes[2 * (i * n + k) + 1]) / 65535;
  const [rows, cols] = d.grid, [h, w] = d.window, panel = f.querySelector('.hover');
  const [map, view] = panel.querySelectorAll('canvas'), buttons = panel.querySelectorAll('button');
  const bars = panel.querySelector('.hover-bars'), words = panel.querySelector('.hover-words');
  const picture = uri => { const i = new Image(); i.onload = draw; i.src = uri; return i; };
  let at = d.start, mode = 0;
  const image = picture(d.image), maps = d.maps.map(picture);
  const cover = d.cover[0] == '#' ? null : picture(d.cover);
  const ready = i => i.complete && i.naturalWidth;
  const frame = (g, x, y, width, height) => {
    for (const [color, line] of [['#fff', 4], ['#14181d', 2]]) {
      g.strokeStyle = color; g.lineWidth = line; g.strokeRect(x, y, width, height);
    }
  };
  const paint = (canvas, picture, k) => {
    canvas.width = picture.naturalWidth * k; canvas.height = picture.naturalHeight * k;
    const g = canvas.getContext('2d');
    g.imageSmoothingEnabled = false;
    g.drawImage(picture, 0, 0, canvas.width, canvas.height);
    return g;
  };
  function draw() {
    if (![image, ...maps, ...(cover ? [cover] : [])].every(ready)) return;
    const r = Math.floor(at / cols), c = at % cols, y = r * d.stride, x = c * d.stride;
    const cell = Math.max(2, Math.floor(252 / Math.max(rows, cols)));
    frame(paint(map, maps[mode], cell), c * cell, r * cell, cell, cell);
    const k = Math.max(1, Math.floor(252 / Math.max(image.naturalWidth, image.naturalHeight)));
    const g = paint(view, image, k);
    if (cover) g.drawImage(cover, x, y, w, h, x * k, y * k, w * k, h * k);
    else { g.fillStyle = d.cover; g.fillRect(x * k, y * k, w * k, h * k); }
    const edge = Math.max(1, Math.round(k / 4));
    g.strokeStyle = '#ff8c1a'; g.lineWidth = edge;
    g.strokeRect(x * k + edge / 2, y * k + edge / 2, w * k - edge, h * k - edge);
    let said = 0;
    for (let i = 1; i < n; i++) if (p(at, i) > p(at, said)) said = i;
    let shown = d.names.map((_, i) => i);
    if (n > 10) shown = shown.sort((a, b) => p(at, b) - p(at, a)).slice(0, 10);
    bars.querySelectorAll('div').forEach(e => e.remove());
    for (const i of shown) {
      const row = document.createElement('div'), part = () => row.appendChild(document.createElement('span'));
      if (i == said) row.className = 'said';
      part().textContent = d.names[i];
      const bar = part();
      bar.className = 'bar'; bar.style.width = 100 * p(at, i) + '%';
      if (i == d.truth) bar.style.background = 'var(--link)';
      part().textContent = p(at, i).toFixed(3);
      bars.append(row);
    }
    const span = (what, a, size) => size > 1 ? what + 's ' + a + '–' + (a + size - 1) : what + ' ' + a;
    words.textContent = 'Window over ' + span('row', y, h) + ', ' + span('column', x, w) + ': P(' +
      d.names[d.truth] + ') = ' + p(at, d.truth).toFixed(3) + '; the network says ' + d.names[said] +
      ' with ' + p(at, said).toFixed(3) + '.';
  }
  const place = (i, count) => Math.min(count - 1, Math.max(0, i));
  const go = (r, c) => { at = place(r, rows) * cols + place(c, cols); draw(); };
  const point = e => {
    const box = map.getBoundingClientRect();
    go(Math.floor((e.clientY - box.top) / box.height * rows), Math.floor((e.clientX - box.left) / box.width * cols));
  };
  map.addEventListener('pointermove', point);
  map.addEventListener('pointerdown', e => { map.setPointerCapture(e.pointerId); point(e); });
  map.addEventListener('keydown', e => {
    const step = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      Home: [0, -cols], End: [0, cols], PageUp: [-rows, 0], PageDown: [rows, 0]}[e.key];
    if (!step) return;
    e.preventDefault(); go(Math.floor(at / cols) + step[0], at % cols + step[1]);
  });
  buttons.forEach((b, i) => b.onclick = () => {
    mode = i; buttons.forEach((o, j) => o.setAttribute('aria-pressed', i == j)); draw();
  });
  panel.hidden = false;
  draw();
});
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GridAxis, HeatMap, Report};

    fn map(names: [&str; 2]) -> HoverMap {
        HoverMap {
            image: PixelGrid::from_bytes(4, 3, 1, &[9; 12]).unwrap(),
            cover: HoverCover::Color(Rgb(0, 0, 0)),
            window: (1, 2),
            grid: (3, 2),
            stride: 1,
            classes: names.map(str::to_owned).to_vec(),
            truth: 1,
            probabilities: (0..6).flat_map(|i| [1.0 - 0.2 * i as f32, 0.2 * i as f32]).collect(),
            start: 0,
        }
    }

    fn chapter(map: &HoverMap) -> Result<Chapter> {
        let axis = || GridAxis::numbers("row", 0.0, 1.0);
        let scale = ColorScale::probability();
        let figure = HeatMap::new("P", axis(), axis(), (1, 1), vec![0.5], scale).draw()?;
        Chapter::new("Covering").hover_map(map, &figure, "caption", "cutaway occlude")
    }

    fn page(map: &HoverMap) -> String {
        Report::new("t", "l").chapter(chapter(map).unwrap()).to_html()
    }

    #[test]
    fn the_figure_stays_and_the_rest_is_hidden_until_the_script_runs() {
        let page = page(&map(["a", "b"]));
        assert!(page.contains("<figure class=\"hover-map\">\n<svg"));
        assert!(page.contains("<div class=\"hover\" hidden>"));
        assert!(page.contains("document.querySelectorAll('.hover-map')"));
        assert!(!page.contains("http") && !page.contains(" src="));
    }

    #[test]
    fn a_page_without_a_map_has_no_script_for_it() {
        let page = Report::new("t", "l").chapter(Chapter::new("c")).to_html();
        assert!(!page.contains("hover"));
    }

    #[test]
    fn the_probabilities_are_kept_in_order_with_their_precision() {
        let data = map(["a", "b"]).data().unwrap();
        let levels: Vec<u8> =
            [65535u16, 0, 52428, 13107, 39321, 26214, 26214, 39321, 13107, 52428, 0, 65535]
                .into_iter()
                .flat_map(u16::to_le_bytes)
                .collect();
        assert!(data.contains(&format!("\"levels\":\"{}\"", base64::encode(&levels))), "{data}");
    }

    #[test]
    fn a_hostile_name_cannot_leave_the_script() {
        let page = page(&map(["</script><script>alert(1)</script>", "\"\\\n&<b>"]));
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(!page.contains("<b>"));
        assert!(page.contains(r"\u003c/script\u003e"));
        assert!(page.contains(r#""\"\\\u000a\u0026\u003cb\u003e""#));
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let broken: [fn(&mut HoverMap); 7] = [
            |m| m.stride = 2,
            |m| m.truth = 2,
            |m| m.start = 6,
            |m| m.window = (2, 2),
            |m| m.grid = (0, 2),
            |m| {
                m.probabilities.pop();
            },
            |m| m.cover = HoverCover::Image(PixelGrid::from_bytes(3, 4, 1, &[0; 12]).unwrap()),
        ];
        for (i, spoil) in broken.into_iter().enumerate() {
            let mut map = map(["a", "b"]);
            spoil(&mut map);
            assert!(chapter(&map).is_err(), "{i}");
        }
    }
}
