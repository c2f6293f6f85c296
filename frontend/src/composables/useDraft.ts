import { ref, watch, type Ref } from 'vue'

import { keepDraft, recallDraft } from '@/stores/drafts'
import { useSessionStore } from '@/stores/session'

/** What is being typed into a field, by tab and organization; never for secrets. */
export function useDraft<T extends string | string[]>(name: string, empty: T): Ref<T> {
  const key = `${useSessionStore().organization ?? ''}.${name}`
  const value = ref(recallDraft<T>(key) ?? empty) as Ref<T>
  watch(value, (next) => keepDraft(key, next), { deep: true, flush: 'sync' })
  return value
}
