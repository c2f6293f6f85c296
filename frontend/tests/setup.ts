import { config, enableAutoUnmount } from '@vue/test-utils'
import { afterEach } from 'vitest'

enableAutoUnmount(afterEach)
// A warning of Vue or of the texts is an error here; it fails the test that caused it.
config.global.config.warnHandler = (message, _component, trace) => {
  throw new Error(`${message}${trace}`)
}
console.warn = (...words: unknown[]) => {
  throw new Error(words.join(' '))
}
