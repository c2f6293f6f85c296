import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'

import * as api from '@/api/client'
import { toApiError, type ApiError } from '@/api/errors'
import type { Pronunciation, PronunciationDraft, Voice } from '@/api/schema'

import { newestOnly } from './newestOnly'
import { newPaging, restart, takePart, type Paging } from './paging'
import { useSessionStore } from './session'

export const LANGUAGES = ['zh-CN', 'en-US'] as const
/** The engine that needs nothing and sounds like a machine. */
export const BASIC_ENGINE = 'espeak'

/** The voices of the organization, how they sound, and how they read words. */
export const useVoicesStore = defineStore('voices', () => {
  const voices = ref<Voice[]>([])
  const words = ref<Pronunciation[]>([])
  const voicePages = newPaging()
  const wordPages = newPaging()
  const isLoaded = ref(false)
  const error = shallowRef<ApiError | null>(null)
  /** Id of the voice that is being made or heard, and what became of the last try. */
  const heard = ref('')
  const refusal = shallowRef<{ voice: string; error: ApiError } | null>(null)
  const session = useSessionStore()
  const askLists = newestOnly()
  const takeTurn = newestOnly()
  let player: HTMLAudioElement | null = null
  let address = ''
  /** Whose voices these are. */
  let owner: string | null = null

  const hasOnlyBasic = computed(
    () => voices.value.length > 0 && voices.value.every((item) => item.engine === BASIC_ENGINE),
  )
  const byLanguage = (language: string) => voices.value.filter((item) => item.language === language)

  /** Nothing of the organization before stays under the name of the next. */
  function turnToOrganization(): void {
    const next = session.organization ?? owner
    if (owner !== null && owner !== next) {
      stop()
      voices.value = []
      words.value = []
      restart(voicePages, wordPages)
      isLoaded.value = false
    }
    owner = next
  }

  async function load(): Promise<void> {
    turnToOrganization()
    const isNewest = askLists()
    try {
      const found = await Promise.all([
        api.listVoices(voicePages.pages),
        api.listPronunciations(wordPages.pages),
      ])
      if (!isNewest()) return
      voices.value = takePart(voicePages, found[0])
      words.value = takePart(wordPages, found[1])
      error.value = null
    } catch (failure) {
      if (isNewest()) error.value = toApiError(failure)
    } finally {
      if (isNewest()) isLoaded.value = true
    }
  }

  async function more(paging: Paging): Promise<void> {
    paging.pages += 1
    await load()
  }

  /** Say a text in a voice; a second press stops it. */
  async function listen(voice: string, text: string): Promise<void> {
    const isSame = heard.value === voice
    stop()
    if (isSame) return
    const isNewest = takeTurn()
    heard.value = voice
    refusal.value = null
    try {
      const sound = await api.previewVoice(voice, text)
      if (isNewest()) play(sound)
    } catch (failure) {
      if (!isNewest()) return
      heard.value = ''
      refusal.value = { voice, error: toApiError(failure) }
    }
  }

  function play(sound: Blob): void {
    address = URL.createObjectURL(sound)
    const mine = new Audio(address)
    // One that was stopped says so late: it must not stop the next.
    const over = () => void (player === mine && stop())
    player = mine
    mine.addEventListener('ended', over)
    mine.play().catch(over)
  }

  function stop(): void {
    takeTurn()
    player?.pause()
    player = null
    if (address) URL.revokeObjectURL(address)
    address = ''
    heard.value = ''
  }

  async function add(word: PronunciationDraft, idempotencyKey: string): Promise<void> {
    const made = await api.createPronunciation(word, idempotencyKey)
    words.value = [made, ...words.value]
  }

  async function change(id: string, reading: string): Promise<void> {
    const changed = await api.updatePronunciation(id, reading)
    words.value = words.value.map((item) => (item.id === id ? changed : item))
  }

  async function remove(id: string): Promise<void> {
    await api.deletePronunciation(id)
    words.value = words.value.filter((item) => item.id !== id)
  }

  return {
    voices,
    words,
    voicePages,
    wordPages,
    isLoaded,
    error,
    heard,
    refusal,
    hasOnlyBasic,
    byLanguage,
    load,
    more,
    listen,
    stop,
    add,
    change,
    remove,
  }
})
