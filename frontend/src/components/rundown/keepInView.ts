/** Scroll the list that holds an element so far that it is seen; the page itself stays where it is. */
export function keepInView(element: Element | undefined): void {
  const list = scrollerOf(element)
  if (!element || !list) return
  const outer = list.getBoundingClientRect()
  const inner = element.getBoundingClientRect()
  if (inner.top < outer.top) list.scrollTop -= outer.top - inner.top
  else if (inner.bottom > outer.bottom) list.scrollTop += Math.min(inner.bottom - outer.bottom, inner.top - outer.top)
}

/** The nearest part of the page that scrolls by itself; on a phone the page scrolls alone. */
function scrollerOf(element: Element | undefined): Element | null {
  let found = element?.parentElement ?? null
  while (found && found !== document.body && found !== document.documentElement) {
    if (/auto|scroll/.test(getComputedStyle(found).overflowY) && found.scrollHeight > found.clientHeight) return found
    found = found.parentElement
  }
  return null
}
