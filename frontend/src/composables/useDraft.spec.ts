import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nextTick } from 'vue'

import { useSessionStore } from '@/stores/session'

import { mountApp } from '../../tests/mount'

import { useDraft } from './useDraft'

/** A field of a form, opened by a member of an organization. */
function open(organization: string) {
  const { wrapper } = mountApp({
    setup() {
      useSessionStore().organization = organization
      return { text: useDraft('word', '') }
    },
    template: '<input v-model="text" />',
  })
  return wrapper
}

const valueOf = (field: ReturnType<typeof open>) => field.get('input').element.value

describe('useDraft', () => {
  beforeEach(() => sessionStorage.clear())
  afterEach(() => sessionStorage.clear())

  it('keeps what is typed while the page is left, for its organization', async () => {
    const field = open('galaxy')
    await field.get('input').setValue('<b>你好</b> 🎉')
    field.unmount()

    expect(valueOf(open('galaxy'))).toBe('<b>你好</b> 🎉')
    expect(valueOf(open('comet'))).toBe('')
  })

  it('is forgotten when it was saved, and when its user leaves', async () => {
    const field = open('galaxy')
    await field.get('input').setValue('typed')
    await field.get('input').setValue('')
    expect(sessionStorage).toHaveLength(0)

    await field.get('input').setValue('typed again')
    useSessionStore().forget()
    await nextTick()
    expect(sessionStorage).toHaveLength(0)
  })
})
