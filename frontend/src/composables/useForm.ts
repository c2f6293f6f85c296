import { computed, nextTick, ref, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'

import { toApiError, type ApiError } from '@/api/errors'
import { newId } from '@/api/ids'
import { useErrorText } from '@/composables/useErrorText'
import { useReasonText } from '@/composables/useReasonText'

/** What the browser knows of a field itself; everything else the server says. */
export interface FieldRule {
  isRequired?: boolean
  maxCharacters?: number
  /** What else is wrong with it, in the words of the page; '' for nothing. */
  problem?: () => string
}

interface Form<N extends string> {
  form: Readonly<Ref<HTMLFormElement | null>>
  values: () => Record<N, string | readonly string[]>
  rules: Partial<Record<N, FieldRule>>
}

/** Nobody knows whether the server did it: asked again, it must be the same request. */
const isOpen = (error: ApiError) => error.status === 0 || error.status === 409 || error.status >= 500

/**
 * A form that keeps what was typed, shows each refusal beside its field, goes to the first of them,
 * and saves nothing twice: not by a double click, and not by a second try after a lost answer.
 */
export function useForm<N extends string>({ form, values, rules }: Form<N>) {
  const { t } = useI18n()
  const errorText = useErrorText()
  const reasonText = useReasonText()
  const fields = ref<Partial<Record<string, string>>>({})
  /** What belongs to no field. */
  const error = ref('')
  const isBusy = ref(false)
  let intent = ''
  let key = ''

  const names = computed(() => Object.keys(values()))

  function check(): Partial<Record<string, string>> {
    const found: Partial<Record<string, string>> = {}
    for (const [name, value] of Object.entries<string | readonly string[]>(values())) {
      const { isRequired, maxCharacters, problem } = rules[name as N] ?? {}
      const count = typeof value === 'string' ? [...value].length : value.length
      if (isRequired && count === 0) found[name] = t('errors.required')
      else if (maxCharacters && count > maxCharacters) {
        found[name] = t('errors.tooLong', { max: maxCharacters, count })
      } else if (problem?.()) found[name] = problem()
    }
    return found
  }

  function tell(failure: ApiError): void {
    const known = failure.details.filter((item) => names.value.includes(item.field))
    for (const { field, message } of known) fields.value[field] ??= reasonText(message)
    const others = failure.details.filter((item) => !known.includes(item))
    if (known.length === 0 || others.length > 0) {
      error.value = errorText(Object.assign(Object.create(failure), { details: others }) as ApiError)
    }
  }

  /** In the order in which the fields stand. */
  async function goToFirst(): Promise<void> {
    await nextTick()
    form.value?.querySelector<HTMLElement>('[aria-invalid=true], [aria-invalid=true] input')?.focus()
  }

  function keyOfIntent(): string {
    const now = JSON.stringify(values())
    if (now !== intent) [intent, key] = [now, newId()]
    return key
  }

  /** Run the action unless something is wrong or it runs already; true when it was done. */
  async function submit(action: (idempotencyKey: string) => Promise<void>): Promise<boolean> {
    if (isBusy.value) return false
    error.value = ''
    fields.value = check()
    if (Object.keys(fields.value).length > 0) {
      await goToFirst()
      return false
    }
    isBusy.value = true
    try {
      await action(keyOfIntent())
      intent = ''
      return true
    } catch (failure) {
      const refusal = toApiError(failure)
      if (!isOpen(refusal)) intent = ''
      tell(refusal)
      // Before the focus moves: a field that is disabled meanwhile takes none.
      isBusy.value = false
      await goToFirst()
      return false
    } finally {
      isBusy.value = false
    }
  }

  return { fields, error, isBusy, submit }
}
