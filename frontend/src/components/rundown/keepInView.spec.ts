import { afterEach, describe, expect, it, vi } from 'vitest'

import { keepInView } from './keepInView'

/** A list of which 100 px are seen, and a row in it; the test page has no layout of its own. */
function makeList(overflow: string, row: { top: number; bottom: number }) {
  const list = document.createElement('div')
  const item = document.createElement('p')
  list.style.overflowY = overflow
  list.append(item)
  document.body.append(list)
  vi.spyOn(list, 'scrollHeight', 'get').mockReturnValue(500)
  vi.spyOn(list, 'clientHeight', 'get').mockReturnValue(100)
  list.getBoundingClientRect = () => ({ top: 50, bottom: 150 }) as DOMRect
  item.getBoundingClientRect = () => row as DOMRect
  list.scrollTop = 200
  return { list, item }
}

afterEach(() => document.body.replaceChildren())

describe('keepInView', () => {
  it.each([
    ['above', { top: 20, bottom: 60 }, 170],
    ['below', { top: 140, bottom: 180 }, 230],
    ['seen already', { top: 60, bottom: 100 }, 200],
    ['higher than the list', { top: 70, bottom: 400 }, 220],
  ])('scrolls the list for a row that is %s', (_where, row, scrolled) => {
    const { list, item } = makeList('auto', row)

    keepInView(item)

    expect(list.scrollTop).toBe(scrolled)
  })

  it('leaves the page alone where nothing but the page scrolls', () => {
    const { list, item } = makeList('visible', { top: 900, bottom: 940 })
    const scrolled = vi.spyOn(document.documentElement, 'scrollTop', 'set')

    keepInView(item)
    keepInView(undefined)

    expect(list.scrollTop).toBe(200)
    expect(scrolled).not.toHaveBeenCalled()
  })
})
