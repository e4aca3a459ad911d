// The dots: where they are, which is nearest to a place, and how they are painted.
// Painted by writing pixels, not by WebGL: without a graphics card that is four to five times faster (DESIGN.md, "Map").

const CELLS = 256; // the grid is 256 x 256: a cell is the high byte of x and of y
const ALPHA = 0.82; // crowds look denser than single dots
const DIM_ALPHA = 0.55;
const LIT_RADIUS = 2.6; // CSS pixels, at least: a few lit dots must be seen among 100,000

export class Dots {
  // positions: x, y, x, y, ... as 0..65535. Dots are kept by cell ("places"), so that what is in view is a few runs.
  constructor(positions) {
    const count = positions.length / 2;
    this.count = count;
    this.starts = new Uint32Array(CELLS * CELLS + 1);
    const cellOf = (row) => (positions[2 * row + 1] >> 8) * CELLS + (positions[2 * row] >> 8);
    for (let row = 0; row < count; row++) this.starts[cellOf(row) + 1]++;
    for (let cell = 0; cell < CELLS * CELLS; cell++) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.rows = new Uint32Array(count); // place -> row
    this.x = new Uint16Array(count);
    this.y = new Uint16Array(count);
    for (let row = 0; row < count; row++) {
      const place = next[cellOf(row)]++;
      this.rows[place] = row;
      this.x[place] = positions[2 * row];
      this.y[place] = positions[2 * row + 1];
    }
  }

  // Calls visit(start, end) for the runs of places in a box; dots a little outside of it may be among them.
  runs(left, top, right, bottom, visit) {
    const cell = (unit) => Math.min(CELLS - 1, Math.max(0, unit >> 8));
    const first = cell(left);
    const last = cell(right);
    for (let row = cell(top); row <= cell(bottom); row++) {
      const start = this.starts[row * CELLS + first];
      const end = this.starts[row * CELLS + last + 1];
      if (start < end) visit(start, end);
    }
  }

  // The place nearest to (x, y) within reach, a bright one rather than a dim one; -1 when there is none.
  nearest(x, y, reach, bright) {
    let best = -1;
    let least = Infinity;
    this.runs(x - reach, y - reach, x + reach, y + reach, (start, end) => {
      for (let place = start; place < end; place++) {
        const away = (this.x[place] - x) ** 2 + (this.y[place] - y) ** 2;
        if (away > reach * reach) continue;
        const rank = bright && !bright[place] ? away + 1e12 : away;
        if (rank < least) [best, least] = [place, rank];
      }
    });
    return best;
  }

  // The box around places, the farthest `trim` share on each side left out: { left, top, right, bottom }.
  box(places, trim = 0) {
    const ends = (values) => {
      const sorted = Float64Array.from(places, (place) => values[place]).sort();
      const skipped = Math.floor(trim * (sorted.length - 1));
      return [sorted[skipped], sorted[sorted.length - 1 - skipped]];
    };
    const [left, right] = ends(this.x);
    const [top, bottom] = ends(this.y);
    return { left, top, right, bottom };
  }
}

export class Painter {
  constructor(canvas, dots) {
    this.canvas = canvas;
    this.dots = dots;
    this.context = canvas.getContext("2d", { alpha: false });
  }

  // Width and height in CSS pixels; ratio: canvas pixels in each.
  resize(width, height, ratio) {
    this.ratio = ratio;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer); // little-endian: 0xAABBGGRR
    this.stamps = new Map();
  }

  // A round dot as offsets into the pixels and how much each of them takes of the color, 0..256.
  #stamp(radius, alpha) {
    const key = `${radius} ${alpha}`;
    if (!this.stamps.has(key)) {
      const reach = Math.ceil(radius);
      const offsets = [];
      const shares = [];
      for (let y = -reach; y <= reach; y++) {
        for (let x = -reach; x <= reach; x++) {
          const share = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(x, y))) * alpha;
          if (share < 0.03) continue;
          offsets.push(y * this.canvas.width + x);
          shares.push(Math.round(share * 256));
        }
      }
      this.stamps.set(key, { reach, offsets: Int32Array.from(offsets), shares: Int32Array.from(shares) });
    }
    return this.stamps.get(key);
  }

  // view: { scale: CSS pixels per unit, left, top: units at the corner }
  // look: { ground, dim, colors: by code, codes: by place, bright: by place or null, radius: CSS pixels }
  paint(view, look) {
    const { dots, canvas, ratio } = this;
    this.pixels.fill(look.ground);
    const margin = (look.radius * 2) / view.scale;
    const right = view.left + canvas.width / ratio / view.scale;
    const bottom = view.top + canvas.height / ratio / view.scale;
    const pass = (wanted, radius, alpha, color) => {
      const stamp = this.#stamp(Math.round(radius * ratio * 4) / 4, alpha);
      dots.runs(view.left - margin, view.top - margin, right + margin, bottom + margin, (start, end) =>
        this.#run(start, end, view, look, stamp, wanted, color),
      );
    };
    if (look.bright) pass(0, look.radius * 0.85, DIM_ALPHA, look.dim);
    pass(1, look.bright ? Math.max(look.radius * 1.25, LIT_RADIUS) : look.radius, ALPHA, null);
    this.context.putImageData(this.image, 0, 0);
  }

  // The inner loop: stamps the dots of one run that are wanted, in one color or each in its own.
  #run(start, end, view, look, { reach, offsets, shares }, wanted, oneColor) {
    const { pixels, canvas, dots } = this;
    const { bright, codes, colors } = look;
    const { width, height } = canvas;
    const scale = view.scale * this.ratio;
    const shiftX = 0.5 - view.left * scale;
    const shiftY = 0.5 - view.top * scale;
    const { x: xs, y: ys } = dots;
    const size = offsets.length;
    for (let place = start; place < end; place++) {
      if (bright && bright[place] !== wanted) continue;
      const x = Math.floor(xs[place] * scale + shiftX);
      const y = Math.floor(ys[place] * scale + shiftY);
      if (x < reach || y < reach || x >= width - reach || y >= height - reach) continue;
      const color = oneColor ?? colors[codes[place]];
      const redBlue = color & 0xff00ff;
      const green = color & 0x00ff00;
      const middle = y * width + x;
      for (let k = 0; k < size; k++) {
        const at = middle + offsets[k];
        const share = shares[k];
        const below = pixels[at];
        const belowRB = below & 0xff00ff;
        const belowG = below & 0x00ff00;
        pixels[at] =
          0xff000000 |
          ((belowRB + (((redBlue - belowRB) * share) >> 8)) & 0xff00ff) |
          ((belowG + (((green - belowG) * share) >> 8)) & 0x00ff00);
      }
    }
  }

  // A ring around a dot, over the painted picture.
  ring(x, y, radius, color, ground) {
    const { context, ratio } = this;
    for (const [width, style] of [[5, ground], [2, color]]) {
      context.beginPath();
      context.arc(x * ratio, y * ratio, radius * ratio, 0, 2 * Math.PI);
      context.lineWidth = width * ratio;
      context.strokeStyle = style;
      context.stroke();
    }
  }
}
