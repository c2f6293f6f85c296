import type { Gesture } from '@/api/schema'

export type PlayableGesture = Exclude<Gesture, 'none'>

/** The gestures of the pad in the order of their keys. */
export const GESTURE_KEYS: Record<PlayableGesture, string> = {
  wave: 'q',
  point_left: 'w',
  point_right: 'e',
  open_hands: 'r',
  heart: 't',
}

/** Small hands on a 24 px grid, drawn for this app. */
export const HANDS: Record<PlayableGesture, string> = {
  wave: 'M8 13V7.5a1.4 1.4 0 0 1 2.8 0V12V5.5a1.4 1.4 0 0 1 2.8 0V12V7a1.4 1.4 0 0 1 2.8 0v8a5.6 5.6 0 0 1-5.6 5.6c-2.8 0-4.1-1.4-5.2-3.4l-1.7-3.2c-.6-1.3 1-2.4 2-1.3L8 14.8M18.6 3.5c1 .7 1.7 1.7 2 3',
  point_left: 'M20 10v6.5a3.5 3.5 0 0 1-3.5 3.5H14a3.5 3.5 0 0 1-3.5-3.5V15H4.4a1.5 1.5 0 0 1 0-3H13l-2-3.6c-.5-1.3 1-2.3 2-1.3l5.5 3',
  point_right: 'M4 10v6.5A3.5 3.5 0 0 0 7.5 20H10a3.5 3.5 0 0 0 3.5-3.5V15h6.1a1.5 1.5 0 0 0 0-3H11l2-3.6c.5-1.3-1-2.3-2-1.3L5.5 10',
  open_hands: 'M4 5c-.6 5.4.8 9.6 5 12v3M20 5c.6 5.4-.8 9.6-5 12v3M4 5l3.2 4.4M20 5l-3.2 4.4M7.2 9.4C8.4 12 9 13.4 9.6 16M16.8 9.4c-1.2 2.6-1.8 4-2.4 6.6',
  heart: 'M12 20s-7.5-4.6-7.5-10A4.2 4.2 0 0 1 12 7.4 4.2 4.2 0 0 1 19.5 10c0 5.4-7.5 10-7.5 10z',
}
