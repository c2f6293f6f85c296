import { defineStore } from 'pinia'
import { ref } from 'vue'

import { toApiError, type ApiError } from '@/api/errors'
import { newId } from '@/api/ids'

export interface CommandEntry {
  id: string
  /** Key below `commands.` in the locales. */
  label: string
  state: 'sending' | 'done' | 'failed'
  error: ApiError | null
  atMs: number
}

const KEPT = 20

/** What the operator asked for, and what became of it. */
export const useCommandsStore = defineStore('commands', () => {
  const entries = ref<CommandEntry[]>([])

  /** Run one command and keep its outcome in view; true when it was carried out. id: a second try has that of the first. */
  async function track(label: string, run: (id: string) => Promise<unknown>, id = newId()): Promise<boolean> {
    const entry: CommandEntry = { id, label, state: 'sending', error: null, atMs: Date.now() }
    entries.value = [entry, ...entries.value.filter((item) => item.id !== id)].slice(0, KEPT)
    try {
      await run(id)
      change(id, { state: 'done' })
      return true
    } catch (failure) {
      fail(id, failure)
      return false
    }
  }

  function change(id: string, fields: Partial<CommandEntry>): void {
    entries.value = entries.value.map((item) => (item.id === id ? { ...item, ...fields } : item))
  }

  /** Comes first, also where something newer was sent meanwhile: it must not be missed. */
  function fail(id: string, failure: unknown): void {
    change(id, { state: 'failed', error: toApiError(failure) })
    const isThis = (item: CommandEntry) => item.id === id
    entries.value = [...entries.value.filter(isThis), ...entries.value.filter((item) => !isThis(item))]
  }

  function clear(): void {
    entries.value = []
  }

  return { entries, track, clear }
})
