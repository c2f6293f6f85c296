import { describe, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'

import type { Utterance } from '@/api/schema'
import { usePreferencesStore } from '@/stores/preferences'

import { createWorld } from '../../../tests/fake-server/world.mjs'
import { mountApp } from '../../../tests/mount'

import TranscriptPanel from './TranscriptPanel.vue'

describe('TranscriptPanel', () => {
  it('stands at its end again when the caption view is left', async () => {
    // What a browser measures and jsdom does not.
    vi.spyOn(Element.prototype, 'scrollHeight', 'get').mockReturnValue(4000)
    vi.spyOn(Element.prototype, 'clientHeight', 'get').mockReturnValue(300)
    const utterances = createWorld().utterances as Utterance[]
    const { wrapper } = mountApp(TranscriptPanel, { props: { utterances, captions: { now: '', next: '' } } })
    const preferences = usePreferencesStore()
    preferences.toggleCaptionView()
    await nextTick()
    wrapper.get('.scroll').element.scrollTop = 0

    preferences.toggleCaptionView()
    await nextTick()
    await nextTick()

    expect(wrapper.get('.scroll').element.scrollTop).toBe(4000)
  })
})
