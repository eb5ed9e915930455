/** Geometry of outlines and strokes: point in polygon, middle, distance. */

/**
 * Whether a place [x, y] lies inside a closed polygon (even-odd).
 * @param {number[][]} corners
 * @param {number[]} place
 */
export function holds(corners, [x, y]) {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i, i += 1) {
    const [[ax, ay], [bx, by]] = [corners[i], corners[j]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

/** A place inside an outline: the mean of its corners or, if that is outside, a place near it. */
export function middleOf(corners) {
  const mean = [0, 1].map((axis) => corners.reduce((sum, corner) => sum + corner[axis], 0) / corners.length);
  if (holds(corners, mean)) return mean;
  const [x, y] = mean;
  const crossings = corners.flatMap(([bx, by], i) => {
    const [ax, ay] = corners.at(i - 1);
    return ay > y !== by > y ? [((bx - ax) * (y - ay)) / (by - ay) + ax] : [];
  }).sort((one, other) => one - other);
  const middles = crossings.flatMap((left, i) => (i % 2 ? [] : [(left + crossings[i + 1]) / 2]));
  const nearest = middles.sort((one, other) => Math.abs(one - x) - Math.abs(other - x))[0];
  return nearest === undefined ? corners[0] : [nearest, y];
}

/**
 * Distance of a place from a polyline, or from its only point.
 * @param {number[][]} points
 * @param {number[]} place
 */
export function distanceTo(points, [x, y]) {
  const distances = points.map(([ax, ay], i) => {
    const [bx, by] = points[i + 1] ?? [ax, ay];
    const squared = (bx - ax) ** 2 + (by - ay) ** 2;
    const along = squared ? Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / squared)) : 0;
    return Math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay));
  });
  return Math.min(...distances);
}
