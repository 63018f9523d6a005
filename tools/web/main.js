// SPDX-License-Identifier: ISC
// Asks once a second while somebody looks, and puts the answers where they belong.
import { Clockwork, Drops, Heat, Traffic, isLoss, lost, sparkline, uplinkOf } from "./charts.js";
import { Table, bar, end, pill } from "./tables.js";
import { bytes, choice, clock, element, nanoseconds, number, packets, plain, rate, say, seconds, short } from "./words.js";

const PERIOD_MS = 1000, PATIENCE_MS = 8000, KEEP = 600, FLOWS = 60, RULES = 200, EVENTS = 100;
const $ = (id) => document.getElementById(id);

const state = {
	newest: 0, boot: 0, paused: false, lost: 0, heard: 0,
	answer: null, status: null, rules: null, flows: null, latency: null, delays: null, events: null,
	order: "rate", ruleOrder: "client", clientOrder: "port", delayOrder: "client", drops: "1", filter: "", round: 0, why: "",
};
const work = new Clockwork();
const drops = new Drops($("drops"), work);
const heat = new Heat($("heat"), work);
new Traffic($("traffic"), work);

// --- asking ----------------------------------------------------------------------------

async function ask(path) {
	const stop = new AbortController();
	const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
	try {
		const answer = await fetch(path, { signal: stop.signal, cache: "no-store", credentials: "omit" });
		const document = await answer.json();
		document.ok = answer.ok && document.error === undefined;
		return document;
	} finally {
		clearTimeout(timer);
	}
}

function take(history) {
	if (history.boot_ms !== state.boot || history.newest < state.newest) {
		state.boot = history.boot_ms;
		work.samples = [];
	}
	work.samples.push(...history.samples.filter((s) => s.seq > (work.samples.at(-1)?.seq ?? 0)));
	work.samples.splice(0, Math.max(0, work.samples.length - KEEP));
	state.newest = history.newest;
	work.endMs = work.samples.at(-1)?.time_ms ?? Date.now();
}

const seen = new Map(); // sections: whether they are on the screen
const watcher = new IntersectionObserver((all) => all.forEach((e) => seen.set(e.target.id, e.isIntersecting)), { rootMargin: "200px" });
watcher.observe($("flows"));

async function askAll() {
	const often = state.round % 2 === 0, seldom = state.round % 5 === 0;
	state.round++;
	const since = state.boot ? state.newest : 0;
	const query = new URLSearchParams({ sort: state.order, q: state.filter, top: FLOWS });
	const [history, status, flows, rules, events, latency, delays] = await Promise.all([
		ask(`/api/history?since=${since}`), ask("/api/status"),
		seen.get("flows") || !state.flows ? ask(`/api/flows?${query}`) : state.flows,
		often ? ask(`/api/rules?sort=${state.ruleOrder}&top=${RULES}`) : state.rules, often ? ask(`/api/events?top=${EVENTS}&drops=${state.drops}`) : state.events,
		seldom ? ask("/api/latency") : state.latency, often ? ask("/api/latency/clients") : state.delays,
	]);
	take(history);
	// Without an answer the last one stays, marked as old.
	Object.assign(state, { answer: status, status: status.ok ? status : state.status,
		flows: flows?.ok ? flows : state.flows, rules: rules?.ok || !state.rules ? rules : state.rules,
		events: events?.ok || !state.events ? events : state.events, latency: latency?.ok ? latency : state.latency,
		delays: delays?.ok ? delays : state.delays });
}

let timer = 0, asking = false, again = false;

async function round() {
	clearTimeout(timer);
	if (asking) {
		again = true; // something else is wanted than what is being asked
		return;
	}
	if (state.paused || document.hidden)
		return;
	asking = true;
	try {
		await askAll();
		state.lost = 0;
		state.heard = Date.now();
	} catch (e) {
		state.lost++;
		state.why = e.name === "AbortError" ? "no answer in time" : "cannot be reached";
	}
	asking = false;
	show();
	if (again) {
		again = false;
		round();
		return;
	}
	timer = setTimeout(round, Math.min(PERIOD_MS * 2 ** Math.min(state.lost, 3), 5000));
}

// --- the head ---------------------------------------------------------------------------

function showFacts() {
	const a = state.status?.appliance ?? {};
	const facts = [
		["on", plain(a.platform)], ["up", seconds(a.uptime_s)], ["uplink", plain(a.uplink_ip)],
		["store", plain(a.store), a.store !== "synced"],
		["flows", `${short(a.flows)} of ${short(a.flow_capacity)}`, a.flows > 0.9 * a.flow_capacity],
		["opened", packets(work.current()?.opened_s ?? 0)],
		["generation", a.generation ? plain(a.generation) : "–", a.confirm_left_s !== undefined && "warn"],
	];
	const list = $("facts");
	while (list.children.length < facts.length)
		list.append(element("div", {}, element("dt"), element("dd")));
	facts.forEach(([name, value, bad], i) => {
		say(list.children[i].firstChild, name);
		say(list.children[i].lastChild, value);
		list.children[i].lastChild.className = bad === true ? "bad" : bad || "";
	});
}

function banners() {
	const a = state.status?.appliance ?? {}, found = [];
	const age = seconds((Date.now() - state.heard) / 1000);
	if (state.lost > 1)
		found.push(["bad", `postern web ${state.why}; what is shown is old.`, state.heard ? age : ""]);
	else if (state.answer && !state.answer.ok)
		found.push(["bad", `The appliance does not answer: ${plain(state.answer.error)}.`]);
	if (a.panic)
		found.push(["bad", "Panic: nothing is forwarded for anybody. “postern panic off” ends it."]);
	if (a.confirm_left_s !== undefined)
		found.push(["warn", `Generation ${plain(a.generation)} is not confirmed: the rules before it come back unless “postern confirm” keeps it.`,
			`${seconds(a.confirm_left_s)} left`]);
	if (a.store && a.store !== "synced")
		found.push(["warn", `The store is ${plain(a.store)}: the last good rules stay in force.`]);
	const apart = (state.status?.clients ?? []).filter((c) => c.isolated).map((c) => plain(c.ip));
	if (apart.length)
		found.push(["warn", `Isolated, so that nothing of it passes: ${apart.slice(0, 5).join(", ")}${apart.length > 5 ? ` and ${apart.length - 5} more` : ""}.`]);
	return found.slice(0, 6);
}

function showHead() {
	const link = $("link"), gone = state.lost > 1 || (state.answer && !state.answer.ok);
	const text = state.paused ? "paused" : gone ? "connection lost" : state.heard ? "live" : "connecting";
	say(link, text);
	link.className = `link ${state.paused ? "" : gone ? "lost" : state.heard ? "live" : ""}`;
	document.documentElement.classList.toggle("stale", Boolean(gone));
	const found = banners(), place = $("banners");
	while (place.children.length > found.length)
		place.lastChild.remove();
	found.forEach(([kind, words, left], i) => {
		// What counts down is not read out again and again.
		const p = place.children[i] ?? place.appendChild(element("p", {}, element("span"), element("span", { "aria-hidden": "true", class: "left" })));
		p.className = kind;
		say(p.firstChild, words);
		say(p.lastChild, left ?? "");
	});
	document.title = gone ? "Postern: lost" : a11yTitle();
}

function a11yTitle() {
	const current = work.samples.at(-1);
	return current?.down === undefined && current ? `Postern ▲${rate(uplinkOf(current)[1])} ▼${rate(uplinkOf(current)[0])}` : "Postern";
}

// --- what stands beside the charts ------------------------------------------------------

function reading(id, parts) {
	const out = $(id), text = parts.map(([name, value]) => `${name} ${value}`).join("  ");
	if (out.dataset.text === text)
		return;
	out.dataset.text = text;
	out.replaceChildren(...parts.flatMap(([name, value], i) => [i ? " · " : "", name ? `${name} ` : "", element("b", {}, value)]));
}

function showReadings() {
	const s = work.current(), pointed = work.atMs !== null;
	if (!s)
		return;
	const when = pointed ? [["", clock(s.time_ms)]] : [];
	if (s.down) {
		for (const id of ["say-traffic", "say-drops", "say-latency"])
			reading(id, [...when, ["", "no answer"]]);
		return;
	}
	const u = uplinkOf(s), of = s.latency?.[heat.series];
	const dropped = lost(s), sum = dropped.reduce((n, [, v]) => n + v, 0) * 1000 / Math.max(1, s.span_ms);
	reading("say-traffic", [...when, ["▲", rate(u[1])], ["", packets(u[3])], ["▼", rate(u[0])], ["", packets(u[2])]]);
	reading("say-drops", [...when, ["", packets(sum)], ...(pointed ? dropped.map(([r, n]) => [plain(r), number(n)]) : [])]);
	reading("say-latency", of ? [...when, ["", `${number(of.count)} packets`], ["median", nanoseconds(of.p50)], ["p99", of.count < 100 ? "–" : nanoseconds(of.p99)]]
		: [...when, ["", "no packets"]]);
	const chart = document.activeElement;
	if (pointed && chart?.classList.contains("chart"))
		chart.setAttribute("aria-label", $(`say-${chart.id === "heat" ? "latency" : chart.id}`).dataset.text);
}

function showSums() {
	let up = 0, down = 0, peakUp = 0, peakDown = 0;
	for (const s of work.shown()) {
		const u = uplinkOf(s);
		up += u[1] * s.span_ms / 1000;
		down += u[0] * s.span_ms / 1000;
		peakUp = Math.max(peakUp, u[1]);
		peakDown = Math.max(peakDown, u[0]);
	}
	const place = $("sums"), words = [["up", bytes(up), `up, at most ${rate(peakUp)}`], ["down", bytes(down), `down, at most ${rate(peakDown)}`]];
	while (place.children.length < words.length)
		place.append(element("li", {}, element("i"), element("b"), element("span")));
	words.forEach(([name, value, rest], i) => {
		place.children[i].firstChild.style.background = `var(--${name})`;
		say(place.children[i].children[1], value);
		say(place.children[i].children[2], rest);
	});
}

const reasons = new Map(); // reason: its element

function showReasons() {
	const recent = new Map();
	for (const s of work.shown())
		for (const [reason, n] of Object.entries(s.drops ?? {}))
			recent.set(reason, (recent.get(reason) ?? 0) + n);
	const all = (state.status?.drops ?? []).filter((d) => isLoss(d.reason));
	const list = all.filter((d) => recent.get(d.reason)).concat(all.filter((d) => !recent.get(d.reason))).slice(0, 8);
	const place = $("reasons"), wanted = new Set();
	for (const d of list) {
		const name = plain(d.reason);
		wanted.add(name);
		let li = reasons.get(name);
		if (!li) {
			li = element("li", { "data-reason": name }, element("i"), element("b"), element("span"));
			reasons.set(name, li);
		}
		li.title = plain(d.text);
		li.firstChild.style.background = recent.get(d.reason) ? `var(--reason-${Math.min(drops.rank(d.reason), 7) + 1})` : "var(--line)";
		say(li.children[1], number(d.count));
		say(li.children[2], plain(d.text ?? d.reason));
		if (place.children[wanted.size - 1] !== li)
			place.insertBefore(li, place.children[wanted.size - 1] ?? null);
	}
	for (const [name, li] of reasons)
		if (!wanted.has(name)) {
			li.remove();
			reasons.delete(name);
		}
}

const RANKS = [["50 %", "p50", 50, 20], ["90 %", "p90", 90, 100], ["99 %", "p99", 99, 1000], ["99.9 %", "p999", 99.9, 10000]];

function sinceStart() {
	if (whose())
		return state.delays?.clients.find((c) => c.client === whose()) ?? null;
	const names = { passed: ["up residence", "down residence"], up: ["up residence"], down: ["down residence"], drop: ["any drop"] };
	const series = (state.latency?.series ?? []).filter((s) => names[seriesShort()].includes(s.name));
	return series.length === 1 ? series[0] : series.length ? merged(series) : null;
}

// The client whose latency alone is shown.
const whose = () => heat.series.startsWith("client ") ? heat.series.slice(7) : "";

function showSeries(series) {
	heat.series = series;
	$("whose").hidden = !whose();
	say($("whose"), whose() ? `${plain(whose())} ×` : "All clients");
	show();
}

function showLatencyOf(client) {
	pickSeries("", false);
	$("series").firstChild.tabIndex = 0; // still within reach
	showSeries(`client ${client}`);
}

const seriesShort = () => ({ "passed": "passed", "up residence": "up", "down residence": "down", "any drop": "drop" })[heat.series];

// Percentiles of several series, from their buckets (histogram.h).
function merged(series) {
	const sum = new Map();
	let count = 0, max = 0;
	for (const s of series) {
		for (const [i, n] of s.buckets) {
			sum.set(i, (sum.get(i) ?? 0) + n);
			count += n;
		}
		max = Math.max(max, s.max_ns);
	}
	const order = [...sum].sort((a, b) => a[0] - b[0]);
	const high = (i) => i < 64 ? i : (33 + i % 32) * 2 ** (Math.floor(i / 32) - 1) - 1;
	return { count, max_ns: max, percentiles: RANKS.map(([, , p]) => {
		const rank = Math.ceil(count * p / 100);
		let at = 0;
		for (const [i, n] of order)
			if ((at += n) >= rank)
				return { p, ns: Math.min(high(i), max), reliable: count - rank >= 10 };
		return { p, ns: max, reliable: false };
	}) };
}

function showPercentiles() {
	const body = $("percentiles").tBodies[0], now = work.current()?.latency?.[heat.series], whole = sinceStart();
	while (body.rows.length < RANKS.length + 2)
		body.append(element("tr", {}, element("td"), element("td", { class: "n" }), element("td", { class: "n" })));
	RANKS.forEach(([name, member, p, least], i) => {
		const row = body.rows[i], of = whole?.percentiles.find((x) => x.p === p);
		if (!row.cells[0].firstChild)
			row.cells[0].append(element("span", { class: "mark" }), name);
		row.cells[0].firstChild.style.background = p === 50 ? "var(--p50)" : p === 99 ? "var(--p99)" : "transparent";
		for (const [cell, ns, sure] of [[row.cells[1], now?.[member], now?.count >= least], [row.cells[2], of?.ns, of?.reliable]]) {
			say(cell, nanoseconds(ns));
			cell.classList.toggle("dim", !sure);
			cell.title = sure || ns === undefined ? "" : "fewer than 10 packets beyond: not to be relied on";
		}
	});
	const last = [["slowest", "", whole ? nanoseconds(whole.max_ns) : "–"], ["packets", now ? short(now.count) : "0", whole ? short(whole.count) : "–"]];
	last.forEach((words, i) => words.forEach((w, k) => say(body.rows[RANKS.length + i].cells[k], w)));
}

// --- clients ----------------------------------------------------------------------------

function clientState(c) {
	if (c.isolated)
		return ["isolated", "warn"];
	if (c.state === "uplink")
		return c.link === "up" ? ["uplink", "idle"] : ["link down", "bad"];
	if (!c.attached)
		return ["away", "idle"];
	if (c.link === "down")
		return ["link down", "warn"];
	return c.state === "open" ? ["open", "good"] : [plain(c.state), "bad"];
}

// A port and the rules of its address are one line; either may be there without the other.
function clientRows() {
	const status = state.status ?? {}, rows = [], byIp = new Map();
	const rates = work.samples.at(-1)?.ports ?? {};
	for (const c of status.clients ?? [])
		byIp.set(c.ip, { ...c, key: `c${c.ip}` });
	for (const p of status.ports ?? []) {
		const of = rates[String(p.port)] ?? [0, 0, 0, 0, 0];
		const port = { port: p.port, name: p.name, link: p.link, attached: true, up: of[0], down: of[1], upP: of[2], downP: of[3], dropsS: of[4], drops: p.drops };
		if (p.role === "uplink") {
			rows.push({ ...port, ip: p.ip, state: "uplink", key: "uplink", up: of[1], down: of[0], upP: of[3], downP: of[2] });
			continue;
		}
		const c = byIp.get(p.ip) ?? { ip: p.ip, state: "closed", key: `p${p.port}` };
		byIp.delete(p.ip);
		rows.push({ ...c, ...port, key: c.key });
	}
	rows.push(...byIp.values());
	return rows;
}

const clients = new Table($("clients"), [
	{ title: "Client", draw: (cell, c) => {
		if (!cell.firstElementChild)
			cell.append(element("span"), element("span", { class: "below bad-text" }));
		say(cell.firstElementChild, plain(c.name));
		say(cell.lastElementChild, c.error ? plain(c.error) : "");
	} },
	{ title: "Address", class: "mono nowrap", draw: (cell, c) => {
		if (!cell.firstElementChild) {
			cell.append(element("button", { type: "button", class: "plain", title: "Show its flows" }));
			cell.firstElementChild.addEventListener("click", () => filterBy(`${cell.textContent}:`));
		}
		say(cell.firstElementChild, plain(c.ip));
	} },
	{ title: "State", draw: (cell, c) => pill(cell, ...clientState(c)) },
	{ title: "Rules", n: true, hide: "phone", text: (c) => c.state === "uplink" ? "" : c.state !== "open" ? "–" : `${number(c.rules)} + ${plain(c.policy)}` },
	{ title: "Generation", n: true, hide: "tablet", text: (c) => c.state === "uplink" ? "" : plain(c.generation) },
	{ title: "Last minutes", hide: "phone", class: "spark", draw: (cell, c) => {
		if (!cell.firstChild)
			cell.append(element("canvas", { role: "img", "aria-label": "Traffic of the last minutes" }));
		sparkline(cell.firstChild, work.shown(), String(c.port), work.windowMs, work.endMs, c.state === "uplink");
	} },
	{ title: "Up", n: true, text: (c) => c.port === undefined ? "–" : rate(c.up) },
	{ title: "Packets", n: true, hide: "tablet", text: (c) => c.port === undefined ? "" : packets(c.upP) },
	{ title: "Down", n: true, text: (c) => c.port === undefined ? "–" : rate(c.down) },
	{ title: "Packets", n: true, hide: "tablet", text: (c) => c.port === undefined ? "" : packets(c.downP) },
	{ title: "Dropped", n: true, hide: "phone", text: (c) => c.port === undefined ? "–" : `${number(c.drops)}` },
	{ title: "What is wrong", hide: "tablet", class: "bad-text", text: (c) => c.error ? plain(c.error) : "" },
], (c) => c.key, "No clients.");

function showClients() {
	const rows = clientRows(), open = rows.filter((c) => c.state === "open").length, all = rows.filter((c) => c.state !== "uplink").length;
	if (state.clientOrder === "rate") // the uplink stays where it is
		rows.sort((a, b) => (b.key === "uplink") - (a.key === "uplink") || ((b.up + b.down) || 0) - ((a.up + a.down) || 0));
	clients.show(rows);
	say($("say-clients"), `${number(open)} of ${number(all)} open`);
}

// --- latency by client ------------------------------------------------------------------

const percentile = (of, p) => of.percentiles.find((x) => x.p === p);
const delayColumn = (title, p) => ({ title, n: true, hide: p === 50 || p === 99 ? undefined : "tablet", hint: "since the start", draw: (cell, c) => {
	const of = percentile(c, p);
	say(cell, nanoseconds(of?.ns));
	cell.classList.toggle("dim", !of?.reliable);
	cell.title = of?.reliable ? "" : "fewer than 10 packets beyond: not to be relied on";
} });
const lastSecond = (c) => work.samples.at(-1)?.latency?.[`client ${c.client}`];

const delays = new Table($("delays"), [
	{ title: "Client", text: (c) => plain(c.name ?? "") },
	{ title: "Address", class: "mono nowrap", draw: (cell, c) => {
		if (!cell.firstElementChild) {
			cell.append(element("button", { type: "button", class: "plain", title: "Show its latency over time" }));
			cell.firstElementChild.addEventListener("click", () => showLatencyOf(cell.dataset.client));
		}
		cell.dataset.client = c.client;
		say(cell.firstElementChild, plain(c.client));
	} },
	{ title: "Packets", n: true, hint: "passed since the start", text: (c) => short(c.count) },
	delayColumn("Median", 50), delayColumn("90 %", 90), delayColumn("99 %", 99), delayColumn("99.9 %", 99.9),
	{ title: "Slowest", n: true, hide: "phone", text: (c) => nanoseconds(c.max_ns) },
	{ title: "Packets now", n: true, hide: "phone", hint: "in the last second", text: (c) => short(lastSecond(c)?.count ?? 0) },
	{ title: "Median now", n: true, hide: "phone", hint: "of the last second", text: (c) => nanoseconds(lastSecond(c)?.p50) },
	{ title: "99 % now", n: true, hide: "tablet", hint: "of the last second", text: (c) => nanoseconds(lastSecond(c)?.count < 100 ? undefined : lastSecond(c)?.p99) },
], (c) => c.client, "Nothing was measured.");

const DELAY_ORDERS = {
	client: () => 0, packets: (c) => c.count, p50: (c) => percentile(c, 50)?.ns, p99: (c) => percentile(c, 99)?.ns, now: (c) => lastSecond(c)?.count,
};

function showDelays() {
	const list = state.delays?.clients ?? [], by = DELAY_ORDERS[state.delayOrder];
	const names = new Map((state.status?.ports ?? []).map((p) => [p.ip, p.name]));
	$("s-delays").hidden = !list.length;
	delays.show(list.map((c) => ({ ...c, name: names.get(c.client) })).sort((a, b) => (by(b) || 0) - (by(a) || 0)));
	say($("say-delays"), `${number(list.length)} since the start`);
}

// --- flows --------------------------------------------------------------------------------

const IDLE_WORDS = new Set(["time_wait", "closed", "last_ack", "fin_wait", "close_wait", "unreplied", "syn_sent"]);
let fastest = 1;

const flows = new Table($("flows"), [
	{ title: "Proto", text: (f) => f.kind && f.kind !== "outward" ? `${plain(f.proto)} ${plain(f.kind)}` : plain(f.proto) },
	{ title: "From", class: "mono", draw: (cell, f) => end(cell, f.src, f.sport) },
	{ title: "To", class: "mono", draw: (cell, f) => end(cell, f.dst, f.dport) },
	{ title: "As", class: "mono dim", hide: "tablet", draw: (cell, f) => end(cell, f.nat_ip, f.nat_port) },
	{ title: "State", hide: "phone", draw: (cell, f) => pill(cell, plain(f.state), IDLE_WORDS.has(f.state) ? "idle" : "good") },
	{ title: "Rule", class: "nowrap", hide: "tablet", text: (f) => `${plain(f.rule)}${f.rule_id && f.rule_id !== String(f.rule) ? ` · ${plain(f.rule_id)}` : ""}` },
	{ title: "Idle", n: true, hide: "phone", text: (f) => seconds(f.idle_s) },
	{ title: "Up", n: true, class: "barred", draw: (cell, f) => bar(cell, f.up_bytes_s / fastest, rate(f.up_bytes_s), "up") },
	{ title: "Down", n: true, class: "barred", draw: (cell, f) => bar(cell, f.down_bytes_s / fastest, rate(f.down_bytes_s), "down") },
	{ title: "Sent", n: true, hide: "tablet", text: (f) => bytes(f.up_bytes) },
	{ title: "Received", n: true, hide: "tablet", text: (f) => bytes(f.down_bytes) },
], (f) => [f.proto, f.src, f.sport, f.dst, f.dport, f.nat_port].join(" "), "No flow matches.");

function showFlows() {
	const f = state.flows;
	if (!f?.ok) {
		flows.show([]);
		say($("say-flows"), f?.error ? plain(f.error) : "");
		return;
	}
	fastest = Math.max(1000, ...f.flows.map((x) => Math.max(x.up_bytes_s ?? 0, x.down_bytes_s ?? 0)));
	flows.show(f.flows);
	say($("say-flows"), (f.flows.length < f.matching ? `the first ${number(f.flows.length)} of ` : "") + `${number(f.matching)}` +
		(f.matching !== f.total ? ` matching, of ${number(f.total)}` : "") + (f.age_ms > 3000 ? `, ${seconds(f.age_ms / 1000)} ago` : ""));
}

// --- rules and events: an appliance that does not know them yet has no such section ---------

let hottest = 1;
const hits = (r) => (r.packets ?? 0) + (r.refused ?? 0);
const action = (r) => /\b(?:action|policy)=(\w+)/.exec(r.text ?? "")?.[1] ?? "";

// The store's line in an operator's words; what is not known here stays as it is.
function condition(r) {
	if (r.rule === "policy")
		return "everything else";
	const words = plain(r.text).split(" ").map((word) => {
		const [, key, value] = /^(\w+)=(.*)$/.exec(word) ?? [null, "", word];
		switch (key) {
		case "action": case "label": return "";
		case "dst4": return value.replace(/\/32$/, "");
		case "dst6": return value.replace(/\/128$/, "");
		case "dsthost": case "proto": return value;
		case "dstset": return `@${value}`;
		case "dstports": return value.replace(/^(\d+)-\1$/, "$1");
		case "specialtarget": return value;
		default: return word;
		}
	}).filter(Boolean);
	return words.join(" ") || "everything";
}

const rules = new Table($("rules"), [
	{ title: "Client", class: "mono nowrap", text: (r) => plain(r.client) },
	{ title: "No.", n: true, hide: "phone", text: (r) => r.rule === "policy" ? "" : plain(r.rule) },
	{ title: "Does", draw: (cell, r) => pill(cell, plain(action(r)), action(r) === "accept" ? "good" : "bad") },
	{ title: "With", class: "mono", text: condition },
	{ title: "Id", class: "mono dim", hide: "tablet", text: (r) => plain(r.id) },
	{ title: "Packets", n: true, class: "barred", hint: "that it let through or refused; the bar is logarithmic", draw: (cell, r) =>
		bar(cell, Math.log1p(hits(r)) / Math.log1p(hottest), hits(r) ? short(hits(r)) : "0", action(r) === "accept" ? "up" : "bad") },
	{ title: "Bytes", n: true, hide: "tablet", text: (r) => bytes(r.bytes) },
	{ title: "Flows", n: true, hide: "phone", hint: "open now, of all so far", text: (r) => r.flows ? `${short(r.live)} of ${short(r.flows)}` : "–" },
	{ title: "Last hit", n: true, hide: "phone", text: (r) => r.last_s === undefined ? "never" : `${seconds(r.last_s)} ago` },
], (r) => `${r.client} ${r.rule} ${r.id}`, "No rules are in force.");

function showRules() {
	const r = state.rules, list = r?.ok ? r.rules : [];
	$("s-rules").hidden = !r?.ok;
	hottest = Math.max(1, ...list.map(hits));
	rules.show(list);
	if (r?.ok)
		say($("say-rules"), (list.length < r.total ? `the first ${number(list.length)} of ` : "") + `${number(r.total)} rules, ${number(r.unused)} never hit`);
}

// What happened, as a sentence where it is known how, else as it was told.
const KNOWN = new Set(["seq", "time", "time_ms", "boot", "kind"]);
const GRAVE = { drop: "warn", suppressed: "idle", start: "good" };

function sentence(e) {
	const ends = e.src ? `${plain(e.proto)} ${plain(e.src)}:${plain(e.sport)} → ${plain(e.dst)}:${plain(e.dport)}` : "";
	if (e.kind === "drop")
		return `${plain(e.text ?? e.reason)}: ${ends || plain(e.name)}${e.rule_id ? ` (${plain(e.rule_id)})` : ""}${e.suppressed ? `, and ${number(e.suppressed)} more before` : ""}`;
	if (e.kind === "suppressed")
		return `${number(e.count)} more at ${plain(e.name)}: ${plain(e.reason)}`;
	return Object.entries(e).filter(([k, v]) => !KNOWN.has(k) && v !== "")
		.map(([k, v]) => `${plain(k)} ${plain(typeof v === "object" ? JSON.stringify(v) : v)}`).join(", ");
}

const events = new Table($("events"), [
	{ title: "Time", class: "nowrap", text: (e) => Number.isFinite(e.time_ms) ? clock(e.time_ms) : plain(e.time) },
	{ title: "Kind", draw: (cell, e) => pill(cell, plain(e.kind), GRAVE[e.kind] ?? "idle") },
	{ title: "What", text: sentence },
], (e) => `${e.boot} ${e.seq}`, "Nothing has happened.");

function showEvents() {
	const list = state.events?.ok ? state.events.events : [];
	$("s-events").hidden = !state.events?.ok;
	events.show([...list].reverse());
	say($("say-events"), list.length ? `the last ${number(list.length)}` : "");
}

// --- all of it, and the keys ------------------------------------------------------------

function show() {
	showHead();
	showFacts();
	showReadings();
	showSums();
	showReasons();
	showPercentiles();
	showClients();
	showDelays();
	showFlows();
	showRules();
	showEvents();
	work.draw();
}

work.changed = () => {
	showReadings();
	showPercentiles();
};

function pause() {
	state.paused = !state.paused;
	$("pause").setAttribute("aria-pressed", state.paused);
	say($("pause"), state.paused ? "Go on" : "Pause");
	showHead();
	round();
}

const THEMES = ["auto", "light", "dark"];

function setTheme(name) {
	if (!THEMES.includes(name))
		name = "auto";
	document.documentElement.dataset.theme = name;
	say($("theme"), name[0].toUpperCase() + name.slice(1));
	try {
		localStorage.setItem("theme", name);
	} catch {
		// Then it is forgotten with the page.
	}
	show();
}

function nextTheme() {
	setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);
}

choice($("window"), [["60000", "1 min"], ["180000", "3 min"], ["600000", "10 min"]], "180000", (ms) => {
	work.windowMs = Number(ms);
	show();
});
const pickSeries = choice($("series"), [["passed", "Passed"], ["up residence", "Up"], ["down residence", "Down"], ["any drop", "Dropped"]], "passed", showSeries);
$("whose").addEventListener("click", () => {
	pickSeries("passed", true);
	$("series").firstChild.focus();
});
choice($("delay-order"), [["client", "In order"], ["packets", "Packets"], ["p50", "Median"], ["p99", "99 %"], ["now", "Now"]], "client", (order) => {
	state.delayOrder = order;
	showDelays();
});
choice($("client-order"), [["port", "In order"], ["rate", "By rate"]], "port", (order) => {
	state.clientOrder = order;
	showClients();
});
choice($("order"), [["rate", "Rate"], ["bytes", "Bytes"], ["packets", "Packets"], ["idle", "Idle"]], "rate", (order) => {
	state.order = order;
	round();
});
choice($("rule-order"), [["client", "In order"], ["hits", "By hits"]], "client", (order) => {
	state.ruleOrder = order;
	state.round = 0;
	round();
});
choice($("event-kinds"), [["1", "All"], ["0", "Without drops"]], "1", (drops) => {
	state.drops = drops;
	state.round = 0;
	round();
});
let typing = 0;

function takeFilter() {
	state.filter = $("filter").value.trim().replace(/\s+/g, " ");
	round();
}

function filterBy(words) {
	$("filter").value = words;
	$("filter").focus();
	takeFilter();
}

$("filter").addEventListener("input", () => {
	clearTimeout(typing);
	typing = setTimeout(takeFilter, 200);
});
$("pause").addEventListener("click", pause);
$("theme").addEventListener("click", nextTheme);
document.addEventListener("keydown", (e) => {
	if (e.target instanceof HTMLInputElement || e.ctrlKey || e.altKey || e.metaKey)
		return;
	if (e.key === "p")
		pause();
	else if (e.key === "t")
		nextTheme();
	else if (e.key === "/") {
		e.preventDefault();
		$("filter").focus();
	}
});
document.addEventListener("visibilitychange", round);
let theme = "auto";
try {
	theme = localStorage.getItem("theme");
} catch {
	// Nothing is kept here.
}
setTheme(theme);
round();
