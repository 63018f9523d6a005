// SPDX-License-Identifier: ISC
/* Latency as one self-contained SVG: percentile curves above, histograms below, runs overlaid. */
#include <math.h>
#include <string.h>

#include "latency_out.h"

enum { WIDTH = 900, LEFT = 80, RIGHT = 40, TOP = 60, CURVE = 300, GAP = 70, SHAPE = 200, BOTTOM = 60, LEGEND = LEFT + 330 };
enum { PLOT = WIDTH - LEFT - RIGHT, SHAPE_TOP = TOP + CURVE + GAP, HEIGHT = SHAPE_TOP + SHAPE + BOTTOM };

static const char *const colour[LATENCY_OVERLAY_MAX] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7",
							 "#e69f00", "#56b4e9", "#000000", "#999999" };

/* Decades of nanoseconds that hold all curves, and how many nines there are to show. */
struct range {
	double low, high, nines;
};

static void escaped(FILE *to, const char *text)
{
	for (; *text; text++)
		if (*text == '<' || *text == '&')
			fputs(*text == '<' ? "&lt;" : "&amp;", to);
		else
			fputc((unsigned char)*text < ' ' || (unsigned char)*text > '~' ? '?' : *text, to);
}

static struct range range_of(const struct latency_curve *curve, size_t n)
{
	struct range r = { 1e300, 1, 1 };
	for (size_t i = 0; i < n; i++) {
		const struct histogram *h = curve[i].histogram;
		if (!h->count)
			continue;
		double least = h->min_ns ? (double)h->min_ns : 1, nines = log10((double)h->count);
		r.low = fmin(r.low, least);
		r.high = fmax(r.high, (double)h->max_ns);
		r.nines = fmax(r.nines, ceil(nines));
	}
	if (r.low > r.high)
		r.low = r.high;
	r.low = floor(log10(r.low) * 4) / 4;
	r.high = fmax(ceil(log10(r.high) * 4) / 4, r.low + 0.25);
	r.nines = fmin(r.nines, 7);
	return r;
}

static double x_of_share(const struct range *r, double share)
{
	double nines = share >= 1 ? r->nines : fmin(-log10(1 - share), r->nines);
	return LEFT + nines / r->nines * PLOT;
}

static double part_of(const struct range *r, double ns)
{
	return fmin(1, fmax(0, (log10(ns < 1 ? 1 : ns) - r->low) / (r->high - r->low)));
}

static void line(FILE *to, double x1, double y1, double x2, double y2)
{
	fprintf(to, "<path class=\"g\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", x1, y1, x2, y2);
}

static void text_at(FILE *to, double x, double y, const char *anchor, const char *text)
{
	fprintf(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
	escaped(to, text);
	fputs("</text>\n", to);
}

/* Marks at 1, 2 and 5 of each decade; upright they go up the curves, else along the histogram. */
static void duration_axis(FILE *to, const struct range *r, bool upright)
{
	static const int step[] = { 1, 2, 5 };
	char name[LATENCY_DURATION_BYTES];
	for (double decade = floor(r->low); decade <= r->high; decade++)
		for (size_t i = 0; i < array_len(step); i++) {
			double ns = step[i] * pow(10, decade), at = log10(ns);
			if (at < r->low - 1e-9 || at > r->high + 1e-9 || (r->high - r->low > 4 && i))
				continue;
			latency_duration(name, (uint64_t)(ns + 0.5));
			double part = part_of(r, ns);
			if (upright) {
				double y = TOP + CURVE * (1 - part);
				line(to, LEFT, y, LEFT + PLOT, y);
				text_at(to, LEFT - 6, y + 4, "end", name);
			} else {
				double x = LEFT + PLOT * part;
				line(to, x, SHAPE_TOP, x, SHAPE_TOP + SHAPE);
				text_at(to, x, SHAPE_TOP + SHAPE + 16, "middle", name);
			}
		}
}

static void share_axis(FILE *to, const struct range *r)
{
	static const double share[] = { 0,	0.5,	 0.9,	   0.99,      0.999,
					0.9999, 0.99999, 0.999999, 0.9999999 };
	for (size_t i = 0; i < array_len(share); i++) {
		char name[LATENCY_DURATION_BYTES];
		double x = x_of_share(r, share[i]);
		if (i > 1 && (double)i - 1 > r->nines)
			break;
		line(to, x, TOP, x, TOP + CURVE);
		snprintf(name, sizeof(name), "%.8g%%", share[i] * 100);
		text_at(to, x, TOP + CURVE + 16, "middle", name);
	}
}

static void draw_curve(FILE *to, const struct range *r, const struct histogram *h, const char *ink)
{
	uint64_t held = histogram_held(h), seen = 0;
	fprintf(to, "<path class=\"c\" stroke=\"%s\" d=\"", ink);
	char pen = 'M';
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (!h->bucket[i])
			continue;
		double ns = (double)(seen + h->bucket[i] == held ? h->max_ns : histogram_high(i));
		double y = TOP + CURVE * (1 - part_of(r, ns));
		double x1 = x_of_share(r, (double)seen / (double)held);
		seen += h->bucket[i];
		double x2 = x_of_share(r, (double)seen / (double)held);
		fprintf(to, "%c%.1f %.1fL%.1f %.1f", pen, x1, y, x2, y);
		pen = 'L';
	}
	fputs("\"/>\n", to);
}

enum { BARS = 120 };

/* A bucket's values over the bars it reaches into: buckets and bars are not equally wide here. */
static void spread(double share[BARS], const struct range *r, uint32_t bucket, double weight)
{
	double from = part_of(r, (double)histogram_low(bucket)) * BARS;
	double to = part_of(r, (double)histogram_high(bucket) + 1) * BARS;
	size_t first = (size_t)fmin(from, BARS - 1), last = (size_t)fmin(to, BARS - 1);
	for (size_t i = first; i <= last; i++) {
		double overlap = fmin(to, (double)i + 1) - fmax(from, (double)i);
		share[i] += to - from > 1e-9 ? weight * overlap / (to - from) : weight;
	}
}

static void draw_shape(FILE *to, const struct range *r, const struct histogram *h, const char *ink)
{
	double share[BARS] = { 0 }, top = 0;
	uint64_t held = histogram_held(h);
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (h->bucket[i])
			spread(share, r, i, h->bucket[i] / (double)held);
	for (size_t i = 0; i < BARS; i++)
		top = fmax(top, share[i]);
	fprintf(to, "<path class=\"s\" stroke=\"%s\" fill=\"%s\" d=\"M%d %d", ink, ink, LEFT, SHAPE_TOP + SHAPE);
	for (size_t i = 0; i < BARS; i++) {
		double y = SHAPE_TOP + SHAPE * (1 - 0.95 * share[i] / top);
		fprintf(to, "L%.1f %.1fL%.1f %.1f", LEFT + PLOT * (double)i / BARS, y,
			LEFT + PLOT * (double)(i + 1) / BARS, y);
	}
	fprintf(to, "L%d %dZ\"/>\n", LEFT + PLOT, SHAPE_TOP + SHAPE);
}

static void legend(FILE *to, const struct latency_curve *curve, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char text[LATENCY_NAME_BYTES + 64], p50[LATENCY_DURATION_BYTES], p99[LATENCY_DURATION_BYTES];
		double y = TOP + CURVE - 12 - 16 * (double)(n - 1 - i);
		latency_duration(p50, histogram_quantile(curve[i].histogram, 500000));
		latency_duration(p99, histogram_quantile(curve[i].histogram, 990000));
		snprintf(text, sizeof(text), "%.60s: p50 %s, p99 %s, n %llu", curve[i].label, p50, p99,
			 (unsigned long long)curve[i].histogram->count);
		fprintf(to, "<rect x=\"%d\" y=\"%.1f\" width=\"14\" height=\"4\" fill=\"%s\"/>\n", LEGEND, y - 6,
			colour[i]);
		text_at(to, LEGEND + 20, y, "start", text);
	}
}

void latency_print_svg(FILE *to, const char *title, const struct latency_curve *curve, size_t n)
{
	if (n > LATENCY_OVERLAY_MAX)
		n = LATENCY_OVERLAY_MAX;
	struct range r = range_of(curve, n);
	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n"
		"<style>text{font:12px sans-serif;fill:#333}.t{font-size:16px}.g{stroke:#ddd;fill:none}"
		".c{fill:none;stroke-width:2}.s{fill-opacity:.25;stroke-width:1}</style>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
		WIDTH, HEIGHT, WIDTH, HEIGHT);
	fprintf(to, "<text class=\"t\" x=\"%d\" y=\"28\">", LEFT);
	escaped(to, title);
	fputs("</text>\n", to);
	text_at(to, LEFT, TOP - 10, "start", "latency by percentile");
	text_at(to, LEFT, SHAPE_TOP - 10, "start", "share of packets by latency (each run to its own height)");
	duration_axis(to, &r, true);
	share_axis(to, &r);
	duration_axis(to, &r, false);
	for (size_t i = 0; i < n; i++) {
		if (!histogram_held(curve[i].histogram))
			continue;
		draw_curve(to, &r, curve[i].histogram, colour[i]);
		draw_shape(to, &r, curve[i].histogram, colour[i]);
	}
	legend(to, curve, n);
	fputs("</svg>\n", to);
}
