import { useI18n } from 'vue-i18n'

import table from '@/locales/reasons.zh-CN.json'

interface Pattern {
  expression: RegExp
  names: string[]
  chinese: string
}

/** Reasons that programs compare; whoever reads gets the sentence. */
const CODES: Record<string, string> = {
  quota_minutes: 'The broadcast minutes of the day were used up.',
  quota_tts_characters: 'The characters for voice servers were used up.',
  quota_llm_tokens: 'The language model tokens of the day were used up.',
}
const PART = /\{(\w+)\}/g
const EXACT = new Map(Object.entries(table).filter(([english]) => !/\{\w+\}/.test(english)))
/** The most telling first: the longest once its variable parts are left out. */
const PATTERNS: Pattern[] = Object.entries(table)
  .filter(([english]) => !EXACT.has(english))
  .sort(([a], [b]) => b.replace(PART, '').length - a.replace(PART, '').length)
  .map(([english, chinese]) => ({
    expression: new RegExp(`^${english.split(/\{\w+\}/).map(escaped).join('([\\s\\S]+?)')}$`),
    names: [...english.matchAll(PART)].map((match) => match[1] ?? ''),
    chinese,
  }))

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

/** A reason of the server in Chinese, its parts too; what the table does not know stays as it is. */
export function chineseReason(text: string): string {
  const whole = EXACT.get(text)
  if (whole !== undefined) return whole
  for (const { expression, names, chinese } of PATTERNS) {
    const match = expression.exec(text)
    if (!match) continue
    const parts = new Map(names.map((name, index) => [name, chineseReason(match[index + 1] ?? '')]))
    return chinese.replace(PART, (mark, name: string) => parts.get(name) ?? mark)
  }
  return text
}

/** What runner and workers said in English, in the language of the page. */
export function useReasonText() {
  const { locale } = useI18n()
  return (text: string | null | undefined): string => {
    if (!text) return ''
    const sentence = CODES[text] ?? text
    return locale.value === 'zh-CN' ? chineseReason(sentence) : sentence
  }
}
