import { ref } from 'vue'

import { toApiError } from '@/api/errors'
import { useErrorText } from '@/composables/useErrorText'

/** Run something once at a time; what it was refused with stays to be read. */
export function useAttempt() {
  const errorText = useErrorText()
  const error = ref('')
  const isBusy = ref(false)

  async function attempt(action: () => Promise<void>): Promise<boolean> {
    if (isBusy.value) return false
    isBusy.value = true
    error.value = ''
    try {
      await action()
      return true
    } catch (failure) {
      error.value = errorText(toApiError(failure))
      return false
    } finally {
      isBusy.value = false
    }
  }

  return { error, isBusy, attempt }
}
