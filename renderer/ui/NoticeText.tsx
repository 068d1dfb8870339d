import { Button } from '@mantine/core';
import styles from './NoticeText.module.css';

interface NoticeTextProps {
  readonly message: string;
  readonly hint?: string;
  readonly detail?: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

/** A sentence begins with a capital; a path does not become another one. */
const sentence = (text: string): string =>
  /^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;

export function NoticeText({ message, hint, detail, action }: NoticeTextProps) {
  return (
    <div className={`${styles.text} selectable`}>
      <div>{sentence(message)}</div>
      {hint !== undefined && <div className={styles.hint}>{hint}</div>}
      {(detail !== undefined || action !== undefined) && (
        <div className={styles.actions}>
          {action !== undefined && (
            <Button variant="subtle" size="compact-xs" onClick={action.run}>
              {action.label}
            </Button>
          )}
          {detail !== undefined && (
            <Button variant="subtle" size="compact-xs" onClick={() => void window.dyno.copyText(detail)}>
              Copy detail
            </Button>
          )}
        </div>
      )}
    </div>
  );
}
