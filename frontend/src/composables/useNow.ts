import { onScopeDispose, ref, type Ref } from 'vue'

/** The wall clock in ms since 1970, moved once per `everyMs` while the component lives. */
export function useNow(everyMs = 1000): Ref<number> {
  const now = ref(Date.now())
  const timer = window.setInterval(() => {
    now.value = Date.now()
  }, everyMs)
  onScopeDispose(() => window.clearInterval(timer))
  return now
}
