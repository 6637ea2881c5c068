//! A figure of tiles with something to say about each: a click on a tile shows it, and without a
//! script everything stands in a list that opens.

use std::fmt::Write as _;

use crate::html::Chapter;
use crate::{Figure, escape};

impl Chapter {
    /// Adds a figure of tiles, such as a [`TileGrid`](crate::TileGrid), with a part for each of its
    /// tiles in their order. A click on a tile (or Enter) shows its part beneath the figure;
    /// without a script, and in print, the parts can be opened one by one in a list.
    ///
    /// A part's title names the tile. There may be fewer parts than tiles.
    #[must_use]
    pub fn pick(
        mut self,
        figure: &Figure,
        caption: &str,
        command: &str,
        parts: Vec<Chapter>,
    ) -> Chapter {
        self.body.push_str("<div class=\"pick\">\n");
        self = self.figure(figure, caption, command);
        let count = parts.len();
        let _ = write!(
            self.body,
            "<div class=\"picked\" aria-live=\"polite\" hidden></div>\n<details class=\"each\">\
             <summary>All {count}, one by one</summary>\n"
        );
        for part in parts {
            let (title, body) = (escape(&part.title), part.body);
            let _ = writeln!(self.body, "<details><summary>{title}</summary>\n{body}</details>");
        }
        self.body.push_str("</details>\n</div>\n");
        self
    }

    /// Adds a figure without caption or command, as in a part of [`Chapter::pick`].
    #[must_use]
    pub fn drawing(mut self, figure: &Figure) -> Chapter {
        let _ = writeln!(self.body, "<figure>\n{}\n</figure>", figure.to_inline_svg());
        self
    }

    /// Name of the chapter.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }
}

pub(crate) const STYLE: &str = "\
.pick{margin:1.5rem 0}
.pick details{margin:.25rem 0}
.pick summary{cursor:pointer;color:var(--link);font-size:.9rem;width:fit-content}
.each>details{margin-left:1rem}
.picked{border-left:3px solid var(--link);background:var(--panel);padding:.5rem 1rem;\
border-radius:0 .5rem .5rem 0;margin:.75rem 0}
.picked h3{font-size:1.05rem;margin:.25rem 0}
.picked figure,.each figure{margin:.75rem 0}
.pick.live [data-name^=tile-]{cursor:pointer}
.pick.live [data-name^=tile-]:focus-visible{outline:2px solid var(--link)}
.pick .hint{color:var(--link)}
.pick .mark{fill:none;stroke:var(--link);stroke-width:3;pointer-events:none}
";

/// Shows the part of the tile that was clicked and frames the tile.
pub(crate) const SCRIPT: &str = "for(const p of document.querySelectorAll('.pick')){\
const parts=p.querySelectorAll(':scope>.each>details'),out=p.querySelector(':scope>.picked'),\
svg=p.querySelector(':scope>figure>svg'),cap=p.querySelector(':scope>figure>figcaption');\
if(!svg||!parts.length)continue;p.classList.add('live');\
const hint=document.createElement('span');hint.className='hint';\
hint.textContent=' Click one to look inside.';cap.insertBefore(hint,cap.querySelector('code'));\
const mark=document.createElementNS(svg.namespaceURI,'rect');\
mark.setAttribute('class','mark');\
const show=(t,i)=>{const b=t.getBBox();for(const[k,v]of[['x',b.x-1.5],['y',b.y-1.5],\
['width',b.width+3],['height',b.height+3]])mark.setAttribute(k,v);svg.appendChild(mark);\
const h=document.createElement('h3');h.textContent=parts[i].firstElementChild.textContent;\
out.replaceChildren(h,...[...parts[i].childNodes].slice(1).map(n=>n.cloneNode(true)));\
out.hidden=false};\
for(const t of svg.querySelectorAll('[data-name^=tile-]')){\
const i=+t.dataset.name.slice(5);if(i>=parts.length)continue;\
t.setAttribute('tabindex',0);t.setAttribute('role','button');\
t.onclick=()=>show(t,i);t.onkeydown=e=>{if(e.key==='Enter'||e.key===' '){e.preventDefault();show(t,i)}}}}";

#[cfg(test)]
mod tests {
    use crate::{Chapter, Report, TileGrid};

    #[test]
    fn every_part_is_in_the_page_even_without_a_script() {
        let grid = TileGrid::signed("Filters", (1, 1), vec![vec![1.0], vec![-1.0]]);
        let parts = ["first <b>", "second"];
        let parts = parts.map(|title| Chapter::new(title).text(&format!("about the {title}")));
        let figure = grid.draw().unwrap();
        let chapter = Chapter::new("Look").pick(&figure, "Two.", "cutaway filters", parts.to_vec());
        let page = Report::new("A page", "").chapter(chapter).to_html();
        assert!(page.contains("<summary>first &lt;b&gt;</summary>\n<p>about the first &lt;b&gt;"));
        assert!(page.contains("<summary>second</summary>"));
        assert!(page.contains("data-name=\"tile-1\""), "what the script listens to");
        assert_eq!(page.matches("<details").count(), page.matches("</details>").count());
        assert_eq!(page.matches("<div").count(), page.matches("</div>").count());
    }
}
