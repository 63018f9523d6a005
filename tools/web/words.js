// SPDX-License-Identifier: ISC
// Numbers with their units, and elements with their text: never markup out of data.

const THIN = "\u202f";

function scaled(value, units, base = 1000) {
	let unit = 0;
	while (value >= base * 0.9995 && unit + 1 < units.length) {
		value /= base;
		unit++;
	}
	const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
	return value.toFixed(digits) + THIN + units[unit];
}

export const number = (n) => Number.isFinite(n) ? n.toLocaleString("en-US").replaceAll(",", THIN) : "–";
export const bytes = (n) => Number.isFinite(n) ? scaled(n, ["B", "kB", "MB", "GB", "TB", "PB"]) : "–";
export const rate = (n) => Number.isFinite(n) ? scaled(n, ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"]) : "–";
export const packets = (n) => Number.isFinite(n) ? scaled(n, ["/s", "k/s", "M/s"]) : "–";
export const nanoseconds = (n) => Number.isFinite(n) ? scaled(n, ["ns", "µs", "ms", "s"]) : "–";
export const short = (n) => Number.isFinite(n) ? (n < 10000 ? number(n) : scaled(n, ["", "k", "M", "G", "T"]).replace(THIN, "")) : "–";

export function seconds(s) {
	if (!Number.isFinite(s))
		return "–";
	if (s < 120)
		return `${Math.floor(s)}${THIN}s`;
	if (s < 7200)
		return `${Math.floor(s / 60)}${THIN}min`;
	if (s < 172800)
		return `${Math.floor(s / 3600)}${THIN}h ${Math.floor(s % 3600 / 60)}${THIN}min`;
	return `${Math.floor(s / 86400)}${THIN}d ${Math.floor(s % 86400 / 3600)}${THIN}h`;
}

export function clock(ms, withSeconds = true) {
	const d = new Date(ms), two = (n) => String(n).padStart(2, "0");
	return `${two(d.getHours())}:${two(d.getMinutes())}${withSeconds ? ":" + two(d.getSeconds()) : ""}`;
}

// A value that may be anything, as one line of text. Control characters and those that turn the
// direction of writing would let a name disguise itself.
export function plain(value) {
	if (value === undefined || value === null || value === "")
		return "–";
	if (typeof value === "boolean")
		return value ? "yes" : "no";
	return String(value).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "\ufffd").slice(0, 400);
}

// An element with text, or with children. Attributes are set as attributes, classes as "class".
export function element(name, attributes = {}, ...children) {
	const e = document.createElement(name);
	for (const [key, value] of Object.entries(attributes))
		if (value !== undefined && value !== false)
			e.setAttribute(key, value === true ? "" : value);
	e.append(...children.filter((c) => c !== undefined && c !== null));
	return e;
}

export function say(target, text) {
	if (target.textContent !== text)
		target.textContent = text;
}

// One of several, as buttons: arrow keys move, as in any group of radio buttons.
export function choice(group, options, chosen, changed) {
	const buttons = options.map(([value, text, title]) =>
		element("button", { type: "button", role: "radio", "data-value": value, title }, text));
	const pick = (value, tell) => {
		for (const b of buttons) {
			const on = b.dataset.value === value;
			b.setAttribute("aria-checked", on);
			b.tabIndex = on ? 0 : -1;
		}
		if (tell)
			changed(value);
	};
	group.replaceChildren(...buttons);
	group.addEventListener("click", (e) => e.target.dataset.value && pick(e.target.dataset.value, true));
	group.addEventListener("keydown", (e) => {
		const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
		const at = buttons.indexOf(document.activeElement);
		if (!step || at < 0)
			return;
		e.preventDefault();
		const next = buttons[(at + step + buttons.length) % buttons.length];
		pick(next.dataset.value, true);
		next.focus();
	});
	pick(chosen, false);
	return pick;
}
