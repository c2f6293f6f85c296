import { reactive } from 'vue'

import type { Part } from '@/api/calls'

/** How far a list is read: its first page, and one more whenever its reader asks for it. */
export interface Paging {
  pages: number
  hasMore: boolean
}

export const newPaging = (): Paging => reactive({ pages: 1, hasMore: false })

/** The rows of what came, for a list that remembers whether it goes on. */
export function takePart<T>(paging: Paging, part: Part<T>): T[] {
  paging.hasMore = part.hasMore
  return part.items
}

/** Another organization, page or object: its list begins at its beginning. */
export function restart(...lists: Paging[]): void {
  for (const paging of lists) Object.assign(paging, { pages: 1, hasMore: false })
}
