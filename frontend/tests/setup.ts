import { config, disableAutoUnmount, enableAutoUnmount } from '@vue/test-utils'
import { afterEach, beforeAll, vi } from 'vitest'

// One page for all files, since to make one takes longer than what is tried on it (`isolate` in
// vite.config.ts). Each file begins with modules of its own and a page that nobody has used.
vi.resetModules()
beforeAll(() => {
  if (typeof document === 'undefined') return
  document.body.replaceChildren()
  document.head.replaceChildren()
  localStorage.clear()
  sessionStorage.clear()
  history.replaceState(null, '', '/')
})

disableAutoUnmount()
enableAutoUnmount(afterEach)
// A warning of Vue or of the texts is an error here; it fails the test that caused it.
config.global.config.warnHandler = (message, _component, trace) => {
  throw new Error(`${message}${trace}`)
}
console.warn = (...words: unknown[]) => {
  throw new Error(words.join(' '))
}
