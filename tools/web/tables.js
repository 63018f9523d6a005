// SPDX-License-Identifier: ISC
// Tables whose rows are kept from one second to the next, so that what is selected or focused stays.
import { element, plain, say } from "./words.js";

// columns: { title, key, n: it is a number, text(row), draw(cell, row): instead of text, hide: "phone" | "tablet" }
export class Table {
	constructor(table, columns, keyOf, empty) {
		this.columns = columns;
		this.keyOf = keyOf;
		this.rows = new Map();
		this.body = element("tbody");
		const head = element("tr");
		for (const c of columns)
			head.append(element("th", { scope: "col", class: this.classOf({ ...c, class: "" }), title: c.hint }, c.title));
		this.empty = element("tr", { class: "empty" }, element("td", { colspan: columns.length }, empty));
		table.replaceChildren(element("thead", {}, head), this.body, element("tfoot", {}, this.empty));
	}

	classOf(column) {
		return [column.n ? "n" : "", column.hide ? `not-${column.hide}` : "", column.class ?? ""].join(" ").trim() || undefined;
	}

	make() {
		const row = element("tr");
		for (const c of this.columns)
			row.append(element("td", { class: this.classOf(c), "data-title": c.title }));
		return row;
	}

	show(list) {
		const seen = new Set();
		let before = null;
		for (const one of list) {
			const key = this.keyOf(one);
			if (seen.has(key))
				continue;
			seen.add(key);
			let row = this.rows.get(key);
			if (!row)
				this.rows.set(key, row = this.make());
			this.columns.forEach((c, i) => c.draw ? c.draw(row.cells[i], one) : say(row.cells[i], c.text(one)));
			const place = before ? before.nextSibling : this.body.firstChild;
			if (place !== row)
				this.body.insertBefore(row, place);
			before = row;
		}
		for (const [key, row] of this.rows)
			if (!seen.has(key)) {
				row.remove();
				this.rows.delete(key);
			}
		this.empty.hidden = seen.size > 0;
	}
}

// A share as a bar behind its number.
export function bar(cell, share, text, kind) {
	if (!cell.firstElementChild)
		cell.append(element("span"), element("span", { class: "over" }));
	cell.firstElementChild.className = `bar ${kind}`;
	const part = Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 0;
	cell.firstElementChild.style.width = `calc((100% - 30px) * ${part.toFixed(3)})`;
	say(cell.lastElementChild, text);
}

export function pill(cell, text, kind) {
	if (!cell.firstElementChild)
		cell.append(element("span"));
	cell.firstElementChild.className = `pill ${kind}`;
	say(cell.firstElementChild, text);
}

// One end of a flow: the port may stand below its address where there is little room.
export function end(cell, ip, port) {
	if (!cell.firstElementChild)
		cell.append(element("span"), element("span", { class: "port" }));
	say(cell.firstElementChild, plain(ip));
	say(cell.lastElementChild, `:${plain(port)}`);
}
