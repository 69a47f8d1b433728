//! The grammar of expressions, evaluated while it is read.
//!
//! From the loosest to the tightest: `?:`, then `&&` and `||` (of equal rank), comparisons, `+ -`, `* /`, then
//! `!`, `-`, parentheses. What `&&`, `||` and `?:` do not need is read but neither expanded nor computed.

use std::cmp::Ordering;

use super::Value;
use super::token::Token;
use crate::diagnostic::Severity;
use crate::macros::engine::Engine;
use crate::macros::limits;

/// The expression is wrong; the reason is in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed;

/// What stands before an operand and is applied to it.
enum Prefix {
    /// `(`, and the position behind it.
    Open(usize),
    Not,
    /// `-`, and the position behind it.
    Minus(usize),
}

/// The state of reading an expression.
pub(super) struct Parser<'engine, 'world> {
    pub(super) engine: &'engine Engine<'world>,
    pub(super) text: &'engine str,
    /// Offset behind the current token.
    pub(super) at: usize,
    pub(super) token: Token,
    /// Macros are expanded.
    pub(super) expand: bool,
    /// The value that is read does not count.
    pub(super) discard: bool,
    depth: u32,
}

impl<'engine, 'world> Parser<'engine, 'world> {
    /// Starts on a text.
    pub(super) fn new(engine: &'engine Engine<'world>, text: &'engine str, expand: bool) -> Self {
        Self { engine, text, at: 0, token: Token::End, expand, discard: false, depth: 0 }
    }

    /// Evaluates all of the text.
    pub(super) fn whole(&mut self) -> Result<Value, Failed> {
        self.advance()?;
        let value = self.ternary()?;
        if self.token != Token::End {
            return self.fail("syntax error in expression", Some(self.position()));
        }
        Ok(value)
    }

    /// Says what is wrong and where: `at` is the offset rpm's caret points behind.
    pub(super) fn say(&self, message: &str, at: Option<usize>) {
        // rpm does not point into a text of several lines.
        let single = self.text.find('\n').is_none_or(|end| end + 1 == self.text.len());
        let hint = at.filter(|_| single).map(|at| format!("look at character {at} of the expression"));
        self.engine.say(Severity::Error, format!("{message}: {}", self.text), hint);
    }

    /// Fails with a place in the text.
    pub(super) fn fail<T>(&self, message: &str, at: Option<usize>) -> Result<T, Failed> {
        self.say(message, at);
        Err(Failed)
    }

    /// Fails with words that name the value rather than the expression.
    pub(super) fn fail_plainly<T>(&self, message: &str) -> Result<T, Failed> {
        self.engine.say(Severity::Error, message, None);
        Err(Failed)
    }

    /// Where rpm says an error is: behind the current token, one further at the end.
    const fn position(&self) -> usize {
        self.at
    }

    fn types_must_match<T>(&self) -> Result<T, Failed> {
        self.fail("types must match", None)
    }

    /// `a ? b : c`
    fn ternary(&mut self) -> Result<Value, Failed> {
        self.depth += 1;
        if self.depth > limits::EXPRESSION_DEPTH {
            return self.fail("expression is nested too deeply", Some(self.position()));
        }
        let first = self.primary()?;
        let value = self.ternary_from(first);
        self.depth -= 1;
        value
    }

    /// The rest of an expression whose first operand is read.
    fn ternary_from(&mut self, first: Value) -> Result<Value, Failed> {
        let discard = self.discard;
        let condition = self.binary_from(first, 0)?;
        if self.token != Token::Question {
            return Ok(condition);
        }
        let condition = condition.is_true();
        self.discard = discard || !condition;
        self.advance()?;
        let yes = self.ternary()?;
        if self.token != Token::Colon {
            return self.fail("syntax error in expression", Some(self.position()));
        }
        self.discard = discard || condition;
        self.advance()?;
        let no = self.ternary()?;
        self.discard = discard;
        if !yes.same_type(&no) {
            return self.types_must_match();
        }
        Ok(if condition { yes } else { no })
    }

    /// The operators of a rank and tighter ones, behind a first operand.
    fn binary_from(&mut self, first: Value, rank: u8) -> Result<Value, Failed> {
        let mut left = first;
        loop {
            let operator = self.token.clone();
            let Some(found) = rank_of(&operator).filter(|found| *found >= rank) else { return Ok(left) };
            let at = self.at;
            let discard = self.discard;
            let skip = match operator {
                Token::And => !left.is_true(),
                Token::Or => left.is_true(),
                _ => false,
            };
            self.discard |= skip;
            self.advance()?;
            let operand = self.primary()?;
            let right = self.binary_from(operand, found + 1)?;
            if !left.same_type(&right) {
                return self.types_must_match();
            }
            left = match operator {
                Token::And | Token::Or => {
                    self.discard = discard;
                    if skip { left } else { right }
                }
                Token::Multiply | Token::Divide => self.multiply(left, &operator, &right, at)?,
                Token::Add | Token::Minus => self.add(left, &operator, right, at)?,
                _ => Value::Integer(i32::from(holds(&operator, left.compare(&right)))),
            };
        }
    }

    fn multiply(&self, left: Value, operator: &Token, right: &Value, at: usize) -> Result<Value, Failed> {
        match (&left, right) {
            (Value::Integer(_), _) if self.discard => Ok(left),
            (Value::Integer(_), Value::Integer(0)) if *operator == Token::Divide => {
                self.fail("division by zero", Some(at))
            }
            (Value::Integer(left), Value::Integer(right)) => Ok(Value::Integer(if *operator == Token::Multiply {
                left.wrapping_mul(*right)
            } else {
                left.wrapping_div(*right)
            })),
            (Value::Version(_), _) => self.fail("* and / not supported for versions", Some(at)),
            _ => self.fail("* and / not supported for strings", Some(at)),
        }
    }

    fn add(&self, left: Value, operator: &Token, right: Value, at: usize) -> Result<Value, Failed> {
        match (left, right) {
            (Value::Integer(left), Value::Integer(right)) => Ok(Value::Integer(if *operator == Token::Add {
                left.wrapping_add(right)
            } else {
                left.wrapping_sub(right)
            })),
            (Value::Text(_), _) if *operator == Token::Minus => self.fail("- not supported for strings", Some(at)),
            (Value::Text(left), Value::Text(right)) => {
                if left.len() + right.len() > limits::BUFFER {
                    return self.fail("string is too long", Some(at));
                }
                Ok(Value::Text(left + &right))
            }
            _ => self.fail("+ and - not supported for versions", Some(at)),
        }
    }

    /// An operand with what stands before it. Parentheses that open one behind the other take no stack.
    fn primary(&mut self) -> Result<Value, Failed> {
        let mut prefixes = Vec::new();
        loop {
            match self.token {
                Token::Open => prefixes.push(Prefix::Open(self.at)),
                Token::Not => prefixes.push(Prefix::Not),
                Token::Minus => prefixes.push(Prefix::Minus(self.at)),
                _ => break,
            }
            self.advance()?;
        }
        let mut value = self.operand(&prefixes)?;
        while let Some(prefix) = prefixes.pop() {
            value = match prefix {
                Prefix::Not => Value::Integer(i32::from(!value.is_true())),
                Prefix::Minus(at) => match value {
                    Value::Integer(number) => Value::Integer(number.wrapping_neg()),
                    _ => return self.fail("- only on numbers", Some(at)),
                },
                Prefix::Open(at) => {
                    let inner = self.ternary_from(value);
                    if self.token != Token::Close {
                        return self.fail("unmatched (", Some(at));
                    }
                    let inner = inner?;
                    self.advance()?;
                    inner
                }
            };
        }
        Ok(value)
    }

    /// A value or a call. After an error inside parentheses rpm complains about each of them too.
    fn operand(&mut self, prefixes: &[Prefix]) -> Result<Value, Failed> {
        let value = match std::mem::replace(&mut self.token, Token::End) {
            Token::Value(value @ (Value::Integer(_) | Value::Text(_) | Value::Version(_))) => {
                self.advance().map(|()| value)
            }
            Token::Function(name) => self.call(&name),
            token => {
                let end = token == Token::End;
                self.token = token;
                let message = if end { "unexpected end of expression" } else { "syntax error in expression" };
                self.fail(message, Some(self.position()))
            }
        };
        if value.is_err() && self.token != Token::Close {
            for prefix in prefixes.iter().rev() {
                if let Prefix::Open(at) = prefix {
                    self.say("unmatched (", Some(*at));
                }
            }
        }
        value
    }

    /// `lua:name(arguments)`
    fn call(&mut self, name: &str) -> Result<Value, Failed> {
        self.advance()?;
        let mut arguments = Vec::new();
        while self.token != Token::Close {
            arguments.push(self.ternary()?);
            if self.token == Token::Close {
                break;
            }
            if self.token != Token::Comma {
                return self.fail("syntax error in expression", Some(self.position()));
            }
            self.advance()?;
            if self.token == Token::Close {
                return self.fail("syntax error in expression", Some(self.position()));
            }
        }
        self.advance()?;
        let Some(function) = name.strip_prefix("lua:") else {
            return self.fail("unsupported funcion", Some(self.position()));
        };
        if self.discard {
            return Ok(Value::Text(String::new()));
        }
        if arguments.iter().any(|argument| matches!(argument, Value::Version(_))) {
            return self.fail("unsupported function argument type", Some(self.position()));
        }
        self.engine.call_lua(function, &arguments).map(Value::Text).ok_or(Failed)
    }
}

fn rank_of(token: &Token) -> Option<u8> {
    Some(match token {
        Token::And | Token::Or => 0,
        Token::Equal | Token::NotEqual | Token::Less | Token::LessEqual | Token::Greater | Token::GreaterEqual => 1,
        Token::Add | Token::Minus => 2,
        Token::Multiply | Token::Divide => 3,
        _ => return None,
    })
}

fn holds(operator: &Token, order: Ordering) -> bool {
    match operator {
        Token::Equal => order.is_eq(),
        Token::NotEqual => order.is_ne(),
        Token::Less => order.is_lt(),
        Token::LessEqual => order.is_le(),
        Token::Greater => order.is_gt(),
        _ => order.is_ge(),
    }
}
