// SPDX-License-Identifier: ISC
// Charts over the same time: what moves through the uplink, what was dropped, how long packets took.
import { clock, nanoseconds, packets, rate } from "./words.js";

const LEFT = 62, RIGHT = 10, TOP = 8, BOTTOM = 20; // of the plot, in CSS pixels
const TAKEN_IN = /-consumed$/; // counted with the drops, though nothing of it is lost
const FIRST_ROW = 4, FIRST_NS = 32; // four rows are a power of two from here on

// Rows are quarters of a power of two, of equal width within it (histogram.h).
export function rowOf(ns) {
	const power = Math.max(0, Math.floor(Math.log2(Math.max(ns, 1) / FIRST_NS)));
	return FIRST_ROW + 4 * (power + ns / (FIRST_NS * 2 ** power) - 1);
}

const colors = new Map(); // for one drawing: asking for a style is dear

function color(name) {
	if (!colors.has(name))
		colors.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
	return colors.get(name);
}

function niceAbove(value) {
	const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
	return [1, 2, 5, 10].map((m) => m * power).find((m) => m >= value);
}

// What all charts share: the samples, the seconds shown, and the moment pointed at.
export class Clockwork {
	constructor() {
		this.samples = [];
		this.windowMs = 180000;
		this.endMs = Date.now();
		this.atMs = null;
		this.charts = [];
		this.pending = false;
		this.changed = () => {};
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
	}

	draw() {
		if (this.pending)
			return;
		this.pending = true;
		requestAnimationFrame(() => {
			this.pending = false;
			colors.clear();
			for (const c of this.charts)
				c.draw();
		});
	}

	point(ms) {
		this.atMs = ms;
		this.changed();
		this.draw();
	}

	shown() {
		const from = this.endMs - this.windowMs;
		return this.samples.filter((s) => s.time_ms > from);
	}

	// The sample pointed at, or the newest one.
	current() {
		const all = this.samples;
		if (this.atMs === null || !all.length)
			return all.at(-1);
		return all.reduce((best, s) => Math.abs(s.time_ms - this.atMs) < Math.abs(best.time_ms - this.atMs) ? s : best);
	}
}

export class Chart {
	constructor(canvas, work) {
		this.canvas = canvas;
		this.work = work;
		work.charts.push(this);
		new ResizeObserver(() => work.draw()).observe(canvas);
		canvas.addEventListener("pointermove", (e) => work.point(this.timeAt(e.offsetX)));
		canvas.addEventListener("pointerleave", () => work.point(null));
		canvas.addEventListener("blur", () => work.point(null));
		canvas.addEventListener("keydown", (e) => this.key(e));
	}

	key(e) {
		const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[e.key];
		const all = this.work.shown();
		if (e.key === "Escape")
			this.work.point(null);
		if (!step || !all.length)
			return;
		e.preventDefault();
		const at = this.work.atMs === null ? all.length - 1 : all.indexOf(this.work.current());
		this.work.point(all[Math.min(all.length - 1, Math.max(0, at + step))].time_ms);
	}

	timeAt(x) {
		const share = (x - LEFT) / (this.width - LEFT - RIGHT);
		return this.work.endMs - this.work.windowMs * (1 - Math.min(1, Math.max(0, share)));
	}

	x(ms) {
		return LEFT + (this.width - LEFT - RIGHT) * (1 - (this.work.endMs - ms) / this.work.windowMs);
	}

	begin() {
		const ratio = devicePixelRatio || 1, c = this.canvas;
		this.width = c.clientWidth;
		this.height = c.clientHeight;
		if (c.width !== Math.round(this.width * ratio) || c.height !== Math.round(this.height * ratio)) {
			c.width = Math.round(this.width * ratio);
			c.height = Math.round(this.height * ratio);
		}
		const g = this.g = c.getContext("2d");
		g.setTransform(ratio, 0, 0, ratio, 0, 0);
		g.clearRect(0, 0, this.width, this.height);
		g.font = `11px ${getComputedStyle(document.body).fontFamily}`;
		g.lineWidth = 1;
		this.bottom = this.height - BOTTOM;
	}

	timeAxis() {
		const g = this.g, minutes = this.work.windowMs / 60000;
		const room = (this.width - LEFT - RIGHT) / 64; // as many labels as fit
		const step = [0.25, 0.5, 1, 2, 5].find((s) => minutes / s <= room) ?? 10;
		g.textAlign = "center";
		g.textBaseline = "top";
		for (let t = Math.floor(this.work.endMs / (step * 60000)) * step * 60000; t > this.work.endMs - this.work.windowMs; t -= step * 60000) {
			const x = Math.round(this.x(t)) + 0.5;
			if (x < LEFT + 14 || x > this.width - RIGHT - 14)
				continue;
			g.strokeStyle = color("--line");
			g.beginPath();
			g.moveTo(x, TOP);
			g.lineTo(x, this.bottom + 3);
			g.stroke();
			g.fillStyle = color("--muted");
			g.fillText(clock(t, step < 1), x, this.bottom + 6);
		}
	}

	level(y, text, strong) {
		const g = this.g;
		y = Math.round(y) + 0.5;
		g.strokeStyle = color(strong ? "--axis" : "--line");
		g.beginPath();
		g.moveTo(LEFT, y);
		g.lineTo(this.width - RIGHT, y);
		g.stroke();
		g.fillStyle = color("--muted");
		g.textAlign = "right";
		g.textBaseline = "middle";
		g.fillText(text, LEFT - 6, y);
	}

	// Where nobody answered.
	gaps() {
		const g = this.g;
		g.fillStyle = color("--gap");
		for (const s of this.work.shown())
			if (s.down) {
				const x = this.x(s.time_ms - Math.max(1000, s.span_ms));
				g.fillRect(Math.max(LEFT, x), TOP, this.x(s.time_ms) - Math.max(LEFT, x), this.bottom - TOP);
			}
	}

	cursor() {
		if (this.work.atMs === null || !this.work.samples.length)
			return;
		const g = this.g, x = Math.round(this.x(this.work.current().time_ms)) + 0.5;
		if (x < LEFT)
			return;
		g.strokeStyle = color("--ink");
		g.globalAlpha = 0.55;
		g.beginPath();
		g.moveTo(x, TOP);
		g.lineTo(x, this.bottom);
		g.stroke();
		g.globalAlpha = 1;
	}

	nothing(text) {
		this.g.fillStyle = color("--muted");
		this.g.textAlign = "center";
		this.g.textBaseline = "middle";
		this.g.fillText(text, (LEFT + this.width - RIGHT) / 2, (TOP + this.bottom) / 2);
	}
}

export const lost = (s) => Object.entries(s?.drops ?? {}).filter(([reason]) => !TAKEN_IN.test(reason));
export const isLoss = (reason) => !TAKEN_IN.test(reason);
export const uplinkOf = (s) => s?.ports?.["0"] ?? [0, 0, 0, 0, 0];

// Up above the line, down below it.
export class Traffic extends Chart {
	area(samples, at, sign, y, paint) {
		const g = this.g;
		let run = [];
		const flush = () => {
			if (run.length > 1) {
				g.beginPath();
				g.moveTo(run[0][0], y(0));
				for (const [x, value] of run)
					g.lineTo(x, y(sign * value));
				g.lineTo(run.at(-1)[0], y(0));
				g.closePath();
				g.globalAlpha = 0.2;
				g.fillStyle = paint;
				g.fill();
				g.globalAlpha = 1;
				g.beginPath();
				for (const [x, value] of run)
					g.lineTo(x, y(sign * value));
				g.strokeStyle = paint;
				g.lineWidth = 1.5;
				g.stroke();
				g.lineWidth = 1;
			}
			run = [];
		};
		for (const s of samples)
			if (s.down)
				flush();
			else
				run.push([Math.max(LEFT, this.x(s.time_ms)), uplinkOf(s)[at]]);
		flush();
	}

	draw() {
		this.begin();
		const samples = this.work.shown();
		const most = (at) => Math.max(0, ...samples.map((s) => uplinkOf(s)[at]));
		const top = niceAbove(Math.max(1000, most(1))), low = niceAbove(Math.max(1000, most(0)));
		const middle = TOP + (this.bottom - TOP) * Math.min(0.75, Math.max(0.25, top / (top + low)));
		const y = (v) => v >= 0 ? middle - (middle - TOP) * v / top : middle - (this.bottom - middle) * v / low;
		this.timeAxis();
		this.gaps();
		this.level(y(top), rate(top));
		this.level(y(-low), rate(low));
		this.area(samples, 1, 1, y, color("--up"));
		this.area(samples, 0, -1, y, color("--down"));
		this.level(middle, "0", true);
		const g = this.g;
		g.textAlign = "left";
		g.textBaseline = "top";
		g.fillStyle = color("--up");
		g.fillText("▲ up", LEFT + 5, TOP + 3);
		g.textBaseline = "bottom";
		g.fillStyle = color("--down");
		g.fillText("▼ down", LEFT + 5, this.bottom - 3);
		if (!samples.length)
			this.nothing("no samples yet");
		this.cursor();
	}
}

// One bar a second, stacked by reason.
export class Drops extends Chart {
	constructor(canvas, work) {
		super(canvas, work);
		this.order = []; // reasons as they came up: a reason keeps its colour
	}

	paint(reason) {
		if (!this.order.includes(reason))
			this.order.push(reason);
		const at = this.order.indexOf(reason);
		return color(`--reason-${at < 7 ? at + 1 : 8}`);
	}

	draw() {
		this.begin();
		const samples = this.work.shown(), g = this.g;
		const perS = (s, n) => n * 1000 / Math.max(1, s.span_ms);
		const sum = (s) => lost(s).reduce((a, [, n]) => a + n, 0);
		const top = niceAbove(Math.max(5, ...samples.map((s) => perS(s, sum(s)))));
		const y = (v) => this.bottom - (this.bottom - TOP) * v / top;
		this.timeAxis();
		this.gaps();
		this.level(y(top), packets(top));
		this.level(y(top / 2), packets(top / 2));
		for (const s of samples) {
			let height = 0;
			const left = Math.max(LEFT, this.x(s.time_ms - s.span_ms)), width = Math.max(1, this.x(s.time_ms) - left - (this.work.windowMs < 200000 ? 1 : 0));
			for (const [reason, count] of lost(s).sort((a, b) => this.rank(a[0]) - this.rank(b[0]))) {
				const n = perS(s, count);
				g.fillStyle = this.paint(reason);
				g.fillRect(left, y(height + n), width, y(height) - y(height + n));
				height += n;
			}
		}
		this.level(this.bottom, "0", true);
		if (!samples.some((s) => sum(s)))
			this.nothing(samples.length ? "nothing dropped" : "no samples yet");
		this.cursor();
	}

	rank(reason) {
		this.paint(reason);
		return this.order.indexOf(reason);
	}
}

// Time across, latency upwards, darkness how many packets.
export class Heat extends Chart {
	constructor(canvas, work) {
		super(canvas, work);
		this.series = "passed";
	}

	// Samples that share a column of pixels are one: columns stand still while time goes on.
	columns(samples) {
		const plot = this.width - LEFT - RIGHT;
		const step = Math.max(1000, Math.ceil(this.work.windowMs / Math.max(1, plot / 2) / 1000) * 1000);
		const columns = new Map();
		for (const s of samples) {
			const of = s.latency?.[this.series];
			if (!of)
				continue;
			const at = Math.floor(s.time_ms / step);
			let column = columns.get(at);
			if (!column)
				columns.set(at, column = { rows: new Map(), from: Infinity, to: 0 });
			column.from = Math.min(column.from, s.time_ms - Math.min(s.span_ms, 3 * step));
			column.to = Math.max(column.to, s.time_ms);
			for (const [row, n] of of.rows)
				column.rows.set(row, (column.rows.get(row) ?? 0) + n);
		}
		return [...columns.values()];
	}

	ramp() {
		return [1, 2, 3, 4, 5, 6].map((i) => {
			const hex = color(`--heat-${i}`);
			return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
		});
	}

	draw() {
		this.begin();
		const samples = this.work.shown(), columns = this.columns(samples), g = this.g;
		let low = Infinity, high = -Infinity, most = 0, cells = 0;
		for (const c of columns)
			for (const [row, n] of c.rows) {
				low = Math.min(low, row);
				high = Math.max(high, row);
				most = Math.max(most, n);
				cells++;
			}
		this.canvas.dataset.cells = cells;
		if (!cells) {
			low = rowOf(256);
			high = rowOf(65536);
		}
		low = Math.max(0, Math.min(low - 2, high - 20));
		high = Math.max(high + 2, low + 22);
		const y = (row) => this.bottom - (this.bottom - TOP) * (row - low) / (high - low);
		this.timeAxis();
		this.gaps();
		this.scale(low, high, y);
		const ramp = this.ramp();
		const shade = (n) => {
			const at = most > 1 ? Math.log(n) / Math.log(most) * (ramp.length - 1) : ramp.length - 1;
			const i = Math.min(ramp.length - 2, Math.floor(at)), part = at - i;
			return `rgb(${ramp[i].map((v, k) => Math.round(v + (ramp[i + 1][k] - v) * part)).join(",")})`;
		};
		for (const c of columns) {
			const left = Math.max(LEFT, Math.floor(this.x(c.from))), right = Math.max(left + 1, Math.ceil(this.x(c.to)));
			for (const [row, n] of c.rows) {
				const upper = Math.round(y(row + 1)), lower = Math.round(y(row));
				g.fillStyle = shade(n);
				g.fillRect(left, upper, right - left, Math.max(1, lower - upper));
			}
		}
		this.line(samples, "p50", y, "--p50");
		this.line(samples, "p99", y, "--p99");
		this.legend(ramp, most);
		if (!cells)
			this.nothing(samples.length ? "no packets in this time" : "no samples yet");
		this.cursor();
	}

	scale(low, high, y) {
		for (let ns = 10; ns < 1e12; ns *= 10)
			for (const m of [1, 2, 5]) {
				const row = rowOf(ns * m);
				if (row <= low + 0.5 || row >= high - 0.5 || (m !== 1 && high - low > 30))
					continue;
				this.level(y(row), nanoseconds(ns * m));
			}
		this.level(this.bottom, "", true);
	}

	line(samples, member, y, paint) {
		const g = this.g;
		const trace = () => {
			let on = false;
			g.beginPath();
			for (const s of samples) {
				const of = s.latency?.[this.series];
				const few = member === "p99" && of && of.count < 100; // a percentile of what is not there
				if (of && !few && this.x(s.time_ms) >= LEFT) {
					const at = [this.x(s.time_ms - s.span_ms / 2), y(rowOf(of[member]))];
					on ? g.lineTo(...at) : g.moveTo(...at);
					on = true;
				} else {
					on = false;
				}
			}
			g.stroke();
		};
		g.lineJoin = "round";
		g.strokeStyle = color("--panel");
		g.globalAlpha = 0.7;
		g.lineWidth = 3.5;
		trace();
		g.globalAlpha = 1;
		g.strokeStyle = color(paint);
		g.lineWidth = 1.5;
		trace();
		g.lineWidth = 1;
	}

	// What the shades and the lines mean, in the corner.
	legend(ramp, most) {
		const g = this.g, width = 84, x = LEFT + 8, y = TOP + 5;
		g.textBaseline = "middle";
		g.textAlign = "left";
		g.fillStyle = color("--panel");
		g.globalAlpha = 0.8;
		g.fillRect(x - 4, y - 4, width + 16 + g.measureText(`1 … ${most || 1} packets`).width, 16);
		g.globalAlpha = 1;
		for (let i = 0; i < width; i++) {
			const at = i / (width - 1) * (ramp.length - 1), k = Math.min(ramp.length - 2, Math.floor(at));
			g.fillStyle = `rgb(${ramp[k].map((v, n) => Math.round(v + (ramp[k + 1][n] - v) * (at - k))).join(",")})`;
			g.fillRect(x + i, y, 1, 8);
		}
		g.fillStyle = color("--muted");
		g.fillText(`1 … ${most || 1} packets`, x + width + 6, y + 4.5);
	}
}

// A row's last minutes, small: up and down of one port.
export function sparkline(canvas, samples, port, windowMs, endMs, turned) {
	const ratio = devicePixelRatio || 1, width = 120, height = 22;
	if (canvas.width !== width * ratio) {
		canvas.width = width * ratio;
		canvas.height = height * ratio;
	}
	const g = canvas.getContext("2d");
	g.setTransform(ratio, 0, 0, ratio, 0, 0);
	g.clearRect(0, 0, width, height);
	const columns = 60, up = new Array(columns).fill(0), down = new Array(columns).fill(0);
	for (const s of samples) {
		const of = s.ports?.[port], at = columns - 1 - Math.floor((endMs - s.time_ms) / windowMs * columns);
		if (of && at >= 0 && at < columns) {
			up[at] = Math.max(up[at], of[turned ? 1 : 0]);
			down[at] = Math.max(down[at], of[turned ? 0 : 1]);
		}
	}
	const most = Math.max(1000, ...up, ...down), middle = height / 2;
	g.fillStyle = color("--line");
	g.fillRect(0, middle, width, 1);
	for (let i = 0; i < columns; i++) {
		g.fillStyle = color("--up");
		const u = up[i] ? Math.max(1, (middle - 1) * Math.sqrt(up[i] / most)) : 0;
		g.fillRect(i * 2, middle - u, 2, u);
		g.fillStyle = color("--down");
		const d = down[i] ? Math.max(1, (middle - 1) * Math.sqrt(down[i] / most)) : 0;
		g.fillRect(i * 2, middle + 1, 2, d);
	}
}
