//! Writing to the screen what has changed.

use std::io::{self, Stdout, Write, stdout};

use ratatui_core::{
    backend::{Backend, ClearType, WindowSize},
    buffer::Cell,
    layout::{Position, Size},
    style::{Color, Style},
};
use rustix::termios::tcgetwinsize;

use super::terminal;

/// Where the size is not known.
const USUAL_SIZE: Size = Size { width: 80, height: 24 };

/// Standard output, which is a terminal. What is drawn is written with the flush, in one piece.
pub struct Screen {
    stdout: Stdout,
    text: Vec<u8>,
}

impl Default for Screen {
    fn default() -> Self {
        Self { stdout: stdout(), text: Vec::new() }
    }
}

impl Screen {
    fn go_to(&mut self, position: Position) {
        let (row, column) = (u32::from(position.y) + 1, u32::from(position.x) + 1);
        self.append(format_args!("\x1b[{row};{column}H"));
    }

    fn append(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to memory does not fail.
        let _ = self.text.write_fmt(text);
    }
}

/// A cell's style; the terminal's own colours are none.
fn style_of(cell: &Cell) -> anstyle::Style {
    let color = |color: Color| (color != Color::Reset).then_some(color);
    let (fg, bg) = (color(cell.fg), color(cell.bg));
    Style { fg, bg, add_modifier: cell.modifier, ..Style::new() }.into()
}

impl Backend for Screen {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut next = None;
        let mut style = anstyle::Style::new();
        self.append(format_args!("\x1b[0m"));
        for (x, y, cell) in content {
            let here = Position { x, y };
            if next != Some(here) {
                self.go_to(here);
            }
            if style_of(cell) != style {
                style = style_of(cell);
                self.append(format_args!("\x1b[0m{style}"));
            }
            self.append(format_args!("{}", cell.symbol()));
            // Terminals do not agree on how wide some characters are: after those the place is
            // said anew.
            next = cell.symbol().is_ascii().then_some(Position { x: x + 1, y });
        }
        self.append(format_args!("\x1b[0m"));
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.append(format_args!("\x1b[?25l"));
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.append(format_args!("\x1b[?25h"));
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        // Only a view that does not fill the screen has to ask.
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.go_to(position.into());
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.append(format_args!("\x1b[0m\x1b[2J"));
        Ok(())
    }

    fn clear_region(&mut self, _: ClearType) -> io::Result<()> {
        self.clear()
    }

    fn size(&self) -> io::Result<Size> {
        let size = tcgetwinsize(&self.stdout)?;
        let size = Size { width: size.ws_col, height: size.ws_row };
        Ok(if size.width == 0 || size.height == 0 { USUAL_SIZE } else { size })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        // A screen that was given back is no longer ours to draw on.
        if terminal::is_taken() {
            self.stdout.write_all(&self.text)?;
            self.stdout.flush()?;
        }
        self.text.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_written_side_by_side_with_their_styles() {
        let mut screen = Screen::default();
        let cell = |symbol, style| {
            let mut cell = Cell::new(symbol);
            cell.set_style(style);
            cell
        };
        let (plain, red) = (Style::new(), Style::new().fg(Color::Red).bold());
        let cells = [
            (2, 4, cell("a", plain)),
            (3, 4, cell("b", red)),
            (4, 4, cell("…", red)),
            (5, 4, cell("c", red)),
            (0, 5, cell("d", Style::new().reversed())),
        ];
        let content = cells.iter().map(|(x, y, cell)| (*x, *y, cell));
        screen.draw(content).expect("memory");
        assert_eq!(
            String::from_utf8(screen.text).expect("text"),
            "\x1b[0m\x1b[5;3Ha\x1b[0m\x1b[1m\x1b[31mb…\x1b[5;6Hc\x1b[6;1H\x1b[0m\x1b[7md\x1b[0m"
        );
    }
}
