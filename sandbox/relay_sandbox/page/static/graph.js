// Graphs on a field of 360 by 100: pure, from points (null where nothing was told) to what SVG takes.

const WIDTH = 360;
const HEIGHT = 100;

/** A number as people read it: 1,234, 0.5, 12.3k. */
export function amount(value) {
  if (value >= 100_000) return `${(value / 1000).toFixed(0)}k`;
  return Number(value.toFixed(value < 10 ? 1 : 0)).toLocaleString("en");
}

/** The highest value at one side, at least 1: marks count as far as they are not far above. */
export function most({ lines: all, stacked, marks }, side) {
  const here = all.filter((line) => line.side === side);
  const values = stacked ? sums(here) : here.flatMap((line) => line.points.map((one) => one ?? 0));
  const highest = Math.max(1, ...values);
  const near = marks.filter((mark) => mark.side === side && mark.value <= 4 * highest).map((mark) => mark.value);
  return Math.max(highest, ...near);
}

const sums = (all) => (all[0]?.points ?? []).map((_, at) => all.reduce((sum, line) => sum + (line.points[at] ?? 0), 0));

/** A line as polylines: where nothing was told there is a gap; a lone point is a short stroke. */
export function lines({ points }, highest) {
  const step = WIDTH / points.length;
  const parts = [[]];
  points.forEach((value, at) => {
    if (value === null) parts.push([]);
    else parts.at(-1).push([at * step, value], [(at + 1) * step, value]);
  });
  return parts.filter((part) => part.length).map((part) => part.map(([x, value]) => place(x, value, highest)).join(" "));
}

/** Lines as areas that stand on one another, each with its line. */
export function areas(all, highest) {
  let below = all[0] ? all[0].points.map(() => 0) : [];
  return all.map((line) => {
    const above = below.map((value, at) => value + (line.points[at] ?? 0));
    const points = [...edge(above, highest), ...edge(below, highest).reverse()].join(" ");
    below = above;
    return [line, points];
  });
}

function edge(values, highest) {
  const step = WIDTH / values.length;
  return values.flatMap((value, at) => [place(at * step, value, highest), place((at + 1) * step, value, highest)]);
}

const place = (x, value, highest) => `${x.toFixed(1)},${(HEIGHT - (HEIGHT * value) / highest).toFixed(1)}`;
