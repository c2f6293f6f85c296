/** Marks that a host sets on a photo: `avatars/marks.py` has the same, in the same order. */

/** Name, and where the mark is at first, in shares of the photo's width and height. */
export const MARKS = [
  ['left_eye_outer', 0.38, 0.4],
  ['left_eye_inner', 0.46, 0.405],
  ['left_lid_upper', 0.42, 0.385],
  ['left_lid_lower', 0.42, 0.415],
  ['right_eye_inner', 0.54, 0.405],
  ['right_eye_outer', 0.62, 0.4],
  ['right_lid_upper', 0.58, 0.385],
  ['right_lid_lower', 0.58, 0.415],
  ['nose_tip', 0.5, 0.48],
  ['mouth_left', 0.44, 0.56],
  ['mouth_right', 0.56, 0.56],
  ['lip_top', 0.5, 0.54],
  ['lips_meet', 0.5, 0.56],
  ['lip_bottom', 0.5, 0.585],
  ['chin', 0.5, 0.66],
  ['jaw_left', 0.37, 0.55],
  ['jaw_right', 0.63, 0.55],
] as const

export type Point = [x: number, y: number]

/** Of the photo's width: a step of an arrow key, and how many of them with Shift. */
const STEP_SHARE = 0.002
const LONG_STEPS = 8
const WAYS: Record<string, Point> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

/** By how many px an arrow key moves a mark; null for any other key. */
export function stepOf(event: KeyboardEvent, width_px: number): Point | null {
  const way = WAYS[event.key]
  const step = Math.max(1, width_px * STEP_SHARE) * (event.shiftKey ? LONG_STEPS : 1)
  return way ? [way[0] * step, way[1] * step] : null
}

/** Number of the point that is nearest to a place. */
export function nearestTo([x, y]: Point, points: Point[]): number {
  const distances = points.map((point) => Math.hypot(point[0] - x, point[1] - y))
  return distances.indexOf(Math.min(...distances))
}

/** Face points in the form that the builder reads. points: px of a photo of this size. */
export function landmarksOf(width_px: number, height_px: number, points: Point[]): File {
  const rounded = points.map((point) => point.map((value) => Number(value.toFixed(1))))
  const look = { at_seconds: 0, faces: [rounded] }
  const text = JSON.stringify({ width_px, height_px, frames: [look] })
  return new File([text], 'marks.json', { type: 'application/json' })
}
