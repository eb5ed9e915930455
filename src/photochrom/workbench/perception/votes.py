"""Votes in any database that SQLAlchemy supports; by default SQLite in the study's folder.

Of a participant only a random id is stored: no address, no name, no time of day.
"""

from pathlib import Path
from typing import Any, NamedTuple, Self

from sqlalchemy import (
    Boolean,
    Column,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    insert,
    make_url,
    select,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.types import TypeEngine

from photochrom.errors import DataError, InvalidValueError, MissingExtraError
from photochrom.workbench.datasets.private_files import make_private

BUSY_MS = 10_000


class Vote(NamedTuple):
    """One answer.

    trial : from 1 on, in the order that the participant saw
    part : 'practice', 'pair' or 'check'
    key, method : the photograph, and what coloured it
    real, chosen : 1 or 2; which was the photograph, and which was taken for it
    fooled : whether the coloured one was taken for real
    wished_ms, first_ms, second_ms : planned display time of each, and the measured times
    answer_ms : from the question to the answer
    """

    participant: str
    trial: int
    part: str
    key: str
    method: str
    real: int
    chosen: int
    fooled: bool
    wished_ms: float
    first_ms: float
    second_ms: float
    answer_ms: float


class Choice(NamedTuple):
    """One preference.

    trial : from 1 on, in the order that the participant saw
    part : 'practice', 'pair' or 'check'
    key : the photograph
    first, second : what coloured the left or upper picture, and the other one
    chosen : 1 or 2; which was preferred
    answer_ms : from their showing to the answer
    """

    participant: str
    trial: int
    part: str
    key: str
    first: str
    second: str
    chosen: int
    answer_ms: float

    @property
    def won(self) -> str:
        """What was preferred."""
        return (self.first, self.second)[self.chosen - 1]

    @property
    def lost(self) -> str:
        """What it was preferred to."""
        return (self.first, self.second)[2 - self.chosen]


TABLES = MetaData()
PARTICIPANTS = Table(
    "photochrom_participants",
    TABLES,
    Column("study", String(16), primary_key=True),
    Column("participant", String(32), primary_key=True),
)
TYPES: dict[type, type[TypeEngine[Any]]] = {
    bool: Boolean,
    float: Float,
    int: Integer,
    str: String,
}


def _table_of(kind: type[Vote | Choice], name: str) -> Table:
    fields = {n: t for n, t in kind.__annotations__.items() if n not in ("participant", "trial")}
    return Table(
        name,
        TABLES,
        Column("study", String(16), primary_key=True),
        Column("participant", String(32), primary_key=True),
        Column("trial", Integer, primary_key=True, autoincrement=False),  # a vote counts once
        *(Column(name, TYPES[kind], nullable=False) for name, kind in fields.items()),
    )


KINDS = {Vote: _table_of(Vote, "photochrom_votes"), Choice: _table_of(Choice, "photochrom_choices")}


def default_url(folder: Path) -> str:
    """Return the URL of the SQLite database in a study's folder."""
    return f"sqlite:///{(folder / 'votes.db').resolve()}"


class Votes:
    """The votes of one study.

    `url` is SQLAlchemy's, such as 'sqlite:///votes.db' or 'postgresql+psycopg://user@host/name';
    other studies may be in the same database. `kind` is `Vote`, or `Choice` for a study of
    preferences.

    Raise InvalidValueError if it is no such URL, MissingExtraError if the database's driver is not
    installed, and DataError if the database cannot be opened.
    """

    def __init__(self, url: str, study: str, kind: type[Vote | Choice] = Vote) -> None:
        self._study, self._kind = study, kind
        self._table = KINDS[kind]
        self._engine = _open(url)
        try:
            TABLES.create_all(self._engine)
        except SQLAlchemyError as error:
            shown = self._engine.url.render_as_string()  # without its password
            cause = str(getattr(error, "orig", None) or error).splitlines()[0]
            self.close()
            raise DataError(f"{shown}: the votes cannot be opened ({cause}).") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    def participants(self) -> list[str]:
        """Return the ids of all participants."""
        asked = select(PARTICIPANTS.c.participant).where(PARTICIPANTS.c.study == self._study)
        with self._engine.connect() as connection:
            return list(connection.scalars(asked.order_by(PARTICIPANTS.c.participant)))

    def count_participants(self) -> int:
        """Return the number of participants."""
        asked = select(func.count()).where(PARTICIPANTS.c.study == self._study)
        with self._engine.connect() as connection:
            return connection.scalar(asked.select_from(PARTICIPANTS)) or 0

    def add_participant(self, participant: str) -> None:
        """Add a participant."""
        with self._engine.begin() as connection:
            connection.execute(
                insert(PARTICIPANTS).values(study=self._study, participant=participant)
            )

    def answered(self, participant: str) -> int | None:
        """Return the number of votes of a participant; None if the id is unknown."""
        mine = (PARTICIPANTS.c.study == self._study, PARTICIPANTS.c.participant == participant)
        columns = self._table.c
        theirs = (columns.study == self._study, columns.participant == participant)
        with self._engine.connect() as connection:
            if connection.scalar(select(PARTICIPANTS.c.participant).where(*mine)) is None:
                return None
            return (
                connection.scalar(select(func.count()).select_from(self._table).where(*theirs)) or 0
            )

    def add(self, vote: Vote | Choice) -> bool:
        """Count a vote; return False if that trial of that participant has one, which stays."""
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(self._table).values(study=self._study, **vote._asdict()))
        except IntegrityError:
            return False
        return True

    def all(self) -> list[Any]:
        """Return every vote, by participant and trial."""
        columns = self._table.c
        asked = select(*(columns[name] for name in self._kind._fields))
        asked = asked.where(columns.study == self._study)
        with self._engine.connect() as connection:
            rows = connection.execute(asked.order_by(columns.participant, columns.trial))
            return [self._kind(*row) for row in rows]


def _open(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidValueError(  # not shown: it may hold a password
            "--votes needs a URL of SQLAlchemy, such as sqlite:///votes.db or "
            "postgresql+psycopg://user@host/name; the given text is not one."
        ) from error
    try:
        engine = create_engine(parsed, pool_pre_ping=True)
    except NoSuchModuleError as error:
        raise InvalidValueError(
            f"--votes: SQLAlchemy does not know the database '{parsed.drivername}'."
        ) from error
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"Votes in {parsed.get_backend_name()} need {error.name}, which is not installed. "
            f"Run: pip install {error.name}"
        ) from error
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:" and "file:" not in parsed.database:
            make_private(Path(parsed.database))
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: DBAPIConnection, record: object) -> None:
    """Allow readers beside one writer; others wait."""
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.close()
