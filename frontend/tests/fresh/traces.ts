import { expect } from 'vitest'

const traces: string[] = []

/** Nothing is left of what other files of tests did; leaves something itself. */
export function expectNoTraces(): void {
  expect(traces).toEqual([])
  expect(document.body.innerHTML).toBe('')
  expect(localStorage.length + sessionStorage.length).toBe(0)
  expect(location.pathname).toBe('/')

  traces.push('a module')
  document.body.append('a page')
  localStorage.setItem('a', 'store')
  sessionStorage.setItem('a', 'session')
  history.replaceState(null, '', '/elsewhere')
}
