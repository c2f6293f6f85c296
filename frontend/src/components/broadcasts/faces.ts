import type { Expression } from '@/api/schema'

/** Small faces on a 24 px grid, one per expression, drawn for this app: strokes of eyes and mouth. */
export const FACES: Record<Expression, string> = {
  neutral: 'M9 10v.1M15 10v.1M9 15.2h6',
  happy: 'M9 10v.1M15 10v.1M8.2 14c1.8 2.8 5.8 2.8 7.6 0',
  laugh: 'M7.6 10.4 9 9.2l1.4 1.2M13.6 10.4 15 9.2l1.4 1.2M8 13.4h8c-.6 4.4-7.4 4.4-8 0z',
  surprised: 'M9 9.6v.1M15 9.6v.1M7.8 6.9c.7-.6 1.6-.7 2.3-.4M16.2 6.9c-.7-.6-1.6-.7-2.3-.4M12 13.4a1.9 2.3 0 1 0 0 4.6 1.9 2.3 0 0 0 0-4.6z',
  sad: 'M9 10.4v.1M15 10.4v.1M8.6 16.6c1.4-2.2 5.4-2.2 6.8 0',
  angry: 'M7.6 8.6l2.8 1.3M16.4 8.6l-2.8 1.3M9.3 11.2v.1M14.7 11.2v.1M9 16c1.4-1.2 4.6-1.2 6 0',
  thinking: 'M9 10v.1M15 10v.1M13.6 7.3c.9-.6 1.8-.6 2.6 0M9.4 15.6c1.6-.9 3.2-1 5-.5',
  wink: 'M9 10v.1M13.5 10.2h3M8.2 14c1.8 2.8 5.8 2.8 7.6 0',
}
