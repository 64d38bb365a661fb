"""Changes of the voter set and of kraft.version, at the leader (KIP-853).

One change at a time, by one voter, and only when the one before is committed: any two majorities in a row overlap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from klamm.kproto import errors, records
from klamm.kproto.control_records import KRaftVersionRecord
from klamm.kproto.errors import KafkaError
from klamm.kproto.schema import Message
from klamm.metadata.features import KRAFT_VERSION
from klamm.metadata.raft import transitions
from klamm.metadata.raft.connections import Node
from klamm.metadata.raft.core import NotLeader
from klamm.metadata.raft.exchange import Reply
from klamm.metadata.raft.leader import UNKNOWN, Leader
from klamm.metadata.raft.messages import (
    AddRaftVoterRequest,
    AddRaftVoterResponse,
    ApiVersionsRequest,
    ApiVersionsResponse,
    RemoveRaftVoterRequest,
    RemoveRaftVoterResponse,
    UpdateRaftVoterRequest,
    UpdateRaftVoterResponse,
)
from klamm.metadata.raft.voters import ReplicaKey, Voter, VoterEndpoint, VoterSet, endpoint_of

if TYPE_CHECKING:
    from klamm.metadata.raft.core import Raft
    from klamm.metadata.raft.exchange import UpgradeKRaftVersion


class VoterChange(NamedTuple):
    """An add or remove under way. `last_offset` -1: an add whose record is not written yet.

    `request_id` None: the answer was given when the record was written.
    """

    request_id: int | None
    voter: ReplicaKey
    is_add: bool
    endpoints: tuple[VoterEndpoint, ...]
    ack_when_committed: bool
    deadline_ms: float
    last_offset: int = UNKNOWN


# -- what every change must pass --


def _refusal(raft: Raft, leader: Leader, doing: str, now_ms: float) -> tuple[int, str] | None:
    """Why no add or remove (`doing` "adding" or "removing") can begin now. What tools show is in Kafka's words."""
    waiting = "Request timed out waiting for"
    if is_pending(raft, leader, now_ms):
        return errors.REQUEST_TIMED_OUT, f"{waiting} leader to handle previous voter change request"
    if leader.high_watermark == UNKNOWN:
        return errors.REQUEST_TIMED_OUT, f"{waiting} leader to establish HWM and fence previous voter changes"
    if raft.kraft_version == 0:
        what = f"Cluster doesn't support {doing} voter because the {KRAFT_VERSION} feature is 0"
        return errors.UNSUPPORTED_VERSION, what
    if not are_voters_committed(raft, leader):
        offset = "Optional.empty" if raft.history.voters_offset is None else f"Optional[{raft.history.voters_offset}]"
        what = f"{waiting} voters to commit the latest voter change at {offset} with HWM {leader.high_watermark}"
        return errors.REQUEST_TIMED_OUT, what
    return None


def is_pending(raft: Raft, leader: Leader, now_ms: float) -> bool:
    expire(raft, leader, now_ms)
    return leader.change is not None


def are_voters_committed(raft: Raft, leader: Leader) -> bool:
    offset = raft.history.voters_offset
    return offset is not None and offset < leader.high_watermark


def expire(raft: Raft, leader: Leader, now_ms: float) -> None:
    """A change that takes too long is answered; its record, if it is written, stays."""
    if leader.change is not None and now_ms >= leader.change.deadline_ms:
        answer(raft, leader, errors.REQUEST_TIMED_OUT)


def answer(raft: Raft, leader: Leader, error_code: int, message: str | None = None) -> None:
    """The change under way is over."""
    change, leader.change = leader.change, None
    if change is not None and change.request_id is not None:
        response = AddRaftVoterResponse if change.is_add else RemoveRaftVoterResponse
        raft.effects.append(Reply(change.request_id, response(error_code, message)))


def high_watermark_advanced(raft: Raft, leader: Leader) -> None:
    change = leader.change
    if change is None or not UNKNOWN < change.last_offset < leader.high_watermark:
        return
    answer(raft, leader, errors.NONE)


def _write(raft: Raft, leader: Leader, voters: VoterSet) -> int:
    return raft.append_control(leader, ((records.CONTROL_KRAFT_VOTERS, voters.to_record()),))


# -- AddRaftVoter --


def add(raft: Raft, request_id: int, request: AddRaftVoterRequest, now_ms: float) -> AddRaftVoterResponse | None:
    """Begin to add a voter; None: the answer comes later."""
    if error_code := raft.leader_only_error(raft.epoch):
        return AddRaftVoterResponse(error_code)
    voter = request.voter
    if voter.node_id < 0 or voter.directory_id == bytes(16):
        return AddRaftVoterResponse(errors.INVALID_REQUEST, "Add voter request didn't include a valid voter")
    endpoint = endpoint_of(request.endpoints, raft.settings.listener_name)
    if endpoint is None:
        name = raft.settings.listener_name
        message = f"Add voter request didn't include the endpoint ({_told(request)}) for the default listener {name}"
        return AddRaftVoterResponse(errors.INVALID_REQUEST, message)
    leader = raft.leader()
    if refusal := _refusal(raft, leader, "adding", now_ms):
        return AddRaftVoterResponse(*refusal)
    if voter.node_id in raft.voters.ids:
        message = f"The voter id for {voter} is already part of the set of voters {raft.voters.keys_text}."
        return AddRaftVoterResponse(errors.DUPLICATE_VOTER, message)
    node = Node(voter.node_id, endpoint.host, endpoint.port)
    if not raft.connections.is_ready(node.node_id, now_ms):
        return AddRaftVoterResponse(errors.REQUEST_TIMED_OUT, f"New voter {voter} is not ready to receive requests")
    deadline_ms = transitions.send_to(raft, node, ApiVersionsRequest(), now_ms)
    leader.change = VoterChange(request_id, voter, True, request.endpoints, request.ack_when_committed, deadline_ms)
    return None


def versions_known(raft: Raft, source_id: int, response: ApiVersionsResponse, now_ms: float) -> bool:
    """The future voter has told its levels of kraft.version: write it into the voter set."""
    leader = raft.state
    change = leader.change if isinstance(leader, Leader) else None
    if not isinstance(leader, Leader) or change is None or not _awaits_versions(change, source_id):
        return True
    if response.error_code != errors.NONE:
        answer(raft, leader, errors.REQUEST_TIMED_OUT, _no_versions(response.error_code))
        return False
    key, versions, level = change.voter, response.kraft_versions, raft.kraft_version
    if versions is None or not versions.min_version <= level <= versions.max_version:
        low, high = versions or (0, 0)
        what = (
            f"since the {KRAFT_VERSION} range (min: {low}, max: {high}) doesn't support the finalized version {level}"
        )
        answer(raft, leader, errors.INVALID_REQUEST, f"Aborted add voter operation for {key} {what}")
        return True
    if not leader.is_caught_up(key, now_ms):
        what = f"Aborted add voter operation for {key} since it is lagging behind"
        answer(raft, leader, errors.REQUEST_TIMED_OUT, what)
        return True
    last_offset = _write(raft, leader, raft.voters.replace(Voter(*key, change.endpoints, versions)))
    leader.change = change._replace(last_offset=last_offset)
    if not change.ack_when_committed and change.request_id is not None:
        raft.effects.append(Reply(change.request_id, AddRaftVoterResponse()))
        leader.change = leader.change._replace(request_id=None)
    raft.advance(leader, now_ms)
    return True


def versions_failed(raft: Raft, source_id: int, error_code: int) -> None:
    leader = raft.state
    if isinstance(leader, Leader) and leader.change is not None and _awaits_versions(leader.change, source_id):
        answer(raft, leader, errors.REQUEST_TIMED_OUT, _no_versions(error_code))


def _no_versions(error_code: int) -> str:
    name = errors.name_of(error_code)
    return f"Aborted add voter operation for since API_VERSIONS returned an error {name}"


def _told(request: AddRaftVoterRequest) -> str:
    return ", ".join(f"{endpoint.name}://{endpoint.host}:{endpoint.port}" for endpoint in request.endpoints)


def _awaits_versions(change: VoterChange, source_id: int) -> bool:
    return change.is_add and change.last_offset == UNKNOWN and change.voter.node_id == source_id


# -- RemoveRaftVoter --


def remove(
    raft: Raft, request_id: int, request: RemoveRaftVoterRequest, now_ms: float
) -> RemoveRaftVoterResponse | None:
    """Take a voter out; None: the answer comes when that is committed."""
    if error_code := raft.leader_only_error(raft.epoch):
        return RemoveRaftVoterResponse(error_code)
    voter: ReplicaKey = request.voter
    if voter.node_id < 0 or voter.directory_id == bytes(16):
        return RemoveRaftVoterResponse(errors.INVALID_REQUEST, "Remove voter request didn't include a valid voter")
    leader = raft.leader()
    if refusal := _refusal(raft, leader, "removing", now_ms):
        return RemoveRaftVoterResponse(*refusal)
    voters = raft.voters.without(voter)
    if voters is None:
        message = f"Cannot remove voter {voter} from the set of voters {raft.voters.keys_text}"
        return RemoveRaftVoterResponse(errors.VOTER_NOT_FOUND, message)
    deadline_ms = now_ms + raft.settings.request_timeout_ms
    last_offset = _write(raft, leader, voters)
    leader.change = VoterChange(request_id, voter, False, (), True, deadline_ms, last_offset)
    raft.advance(leader, now_ms)
    return None


# -- UpdateRaftVoter --


def update(raft: Raft, request: UpdateRaftVoterRequest, listener_name: str, now_ms: float) -> UpdateRaftVoterResponse:
    """A voter listens elsewhere, or knows other levels of kraft.version."""

    def refused(error_code: int) -> UpdateRaftVoterResponse:
        return UpdateRaftVoterResponse(raft.hint(listener_name), error_code)

    if error_code := raft.leader_only_error(request.epoch):
        return refused(error_code)
    voter, leader = request.voter, raft.leader()
    if voter.node_id < 0 or voter.directory_id == bytes(16):
        return refused(errors.INVALID_REQUEST)
    if endpoint_of(voter.endpoints, raft.settings.listener_name) is None:
        return refused(errors.INVALID_REQUEST)
    lowest, highest = voter.kraft_versions
    if lowest < 0 or highest < lowest:
        return refused(errors.INVALID_REQUEST)
    if is_pending(raft, leader, now_ms) or leader.high_watermark == UNKNOWN:
        return refused(errors.REQUEST_TIMED_OUT)
    is_dynamic = raft.kraft_version > 0
    voters = raft.voters if is_dynamic else leader.static_voters
    if voters is None or (is_dynamic and not are_voters_committed(raft, leader)):
        return refused(errors.REQUEST_TIMED_OUT)
    if not lowest <= raft.kraft_version <= highest:
        return refused(errors.INVALID_REQUEST)
    known = voters.voter(voter.node_id)
    if known is None or (is_dynamic and not known.matches(voter.key)):
        return refused(errors.VOTER_NOT_FOUND)
    if is_dynamic:
        _write(raft, leader, voters.replace(voter))
        raft.advance(leader, now_ms)
    else:
        leader.static_voters = voters.replace(voter)
    leader.heard_from(voter.key, now_ms, raft.settings.fetch_timeout_ms)
    return refused(errors.NONE)


# -- kraft.version --


def upgrade(raft: Raft, event: UpgradeKRaftVersion) -> None:
    """Go from static to dynamic voters. Raises NotLeader, KafkaError (INVALID_UPDATE_VERSION)."""
    leader = raft.leader()
    if event.epoch != leader.epoch:
        raise NotLeader(f"epoch {event.epoch} is not that of the leader, {leader.epoch}")
    level = raft.kraft_version
    if level == event.kraft_version:
        return
    if level > event.kraft_version:
        what = "because the new version is a downgrade"
        raise _invalid(f"from version {_name(level)} to {_name(event.kraft_version)} {what}")
    voters = leader.static_voters
    if voters is None:
        raise _invalid(f"from version {_name(level)} to {_name(event.kraft_version)}")
    if not all(_supports(voter, event.kraft_version) for voter in voters.voters):
        raise _invalid(f"to {_name(event.kraft_version)} because not all of the voters support it")
    if event.validate_only:
        return
    version = KRaftVersionRecord(version=0, k_raft_version=event.kraft_version)
    control: tuple[tuple[int, Message], ...] = (
        (records.CONTROL_KRAFT_VERSION, version),
        (records.CONTROL_KRAFT_VOTERS, voters.to_record()),
    )
    leader.static_voters = None
    raft.append_control(leader, control)


def _supports(voter: Voter, level: int) -> bool:
    """Of a voter that has not told its directory yet, nothing is known."""
    low, high = voter.kraft_versions
    return voter.directory_id != bytes(16) and low <= level <= high


def _name(level: int) -> str:
    return f"KRAFT_VERSION_{level}"


def _invalid(what: str) -> KafkaError:
    return KafkaError(errors.INVALID_UPDATE_VERSION, f"Invalid upgrade of {KRAFT_VERSION} {what}")
